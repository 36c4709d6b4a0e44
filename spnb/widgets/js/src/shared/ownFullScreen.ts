// A browser's own full screen shows a video alone, and what its text tracks say: there, what the host has put on screen
// is a caption. Safari on a phone has no other full screen.

type Phone = HTMLVideoElement & { webkitDisplayingFullscreen?: boolean };

const EVENTS = ["fullscreenchange", "webkitbeginfullscreen", "webkitendfullscreen"];
const ends = new WeakMap<HTMLVideoElement, () => void>();

/** Cues are markup; this is a user's text. */
const plain = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/** Keep a caption like what stands over the picture. Returns a function that ends it. */
function caption(video: HTMLVideoElement, box: HTMLElement): () => void {
  const track = video.addTextTrack("captions", "On screen");
  track.mode = "showing";
  const draw = () => {
    for (const cue of [...(track.cues ?? [])]) track.removeCue(cue);
    const { name } = box.dataset;
    if (box.textContent) track.addCue(new VTTCue(0, Number.MAX_SAFE_INTEGER, plain((name ? `${name}: ` : "") + box.textContent)));
  };
  const watch = new MutationObserver(draw);
  watch.observe(box, { childList: true, characterData: true, subtree: true, attributes: true });
  draw();
  return () => {
    watch.disconnect();
    track.mode = "disabled";
  };
}

function changed(event: Event): void {
  const [video] = event.composedPath() as [Phone];
  const box = video instanceof HTMLVideoElement && video.closest(".spnb-player")?.querySelector<HTMLElement>(".spnb-onscreen");
  if (!box) return;
  const alone = video.webkitDisplayingFullscreen || video.matches(":fullscreen");
  ends.get(video)?.();
  ends.delete(video);
  if (alone) ends.set(video, caption(video, box));
}

/** Heed all videos of ours in the page. */
export function heedOwnFullScreen(): void {
  // Phones' events do not bubble.
  for (const name of EVENTS) document.addEventListener(name, changed, true);
}
