// On narrow pages the bar over the picture hides by itself. A pointer, a touch or the keyboard brings it back.
const AWAKE_MS = 3500;

/** Watches over `stage`; the style sheet says where a sleeping bar is hidden. Returns a function that ends it. */
export function sleepingBar(stage: HTMLElement, bar: HTMLElement): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wake = () => {
    bar.classList.remove("spnb-asleep");
    clearTimeout(timer);
    timer = setTimeout(() => bar.classList.add("spnb-asleep"), AWAKE_MS);
  };
  const events = ["pointermove", "pointerdown", "focusin", "keydown"];
  for (const event of events) stage.addEventListener(event, wake);
  wake();
  return () => {
    clearTimeout(timer);
    for (const event of events) stage.removeEventListener(event, wake);
  };
}
