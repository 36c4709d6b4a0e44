// Whether an element is in sight, for what plays only while somebody can see it.

/** How much of an element must be seen for it to count as seen. */
const ENOUGH = 0.5;

export interface Sight {
  hidden: boolean;
  /** Whether it was paused here since it went out of sight. */
  paused: boolean;
  follow(element: Element, told: (seen: boolean) => void): void;
  end(): void;
}

/** Nothing is in sight until the page has said so. */
export function sight(): Sight {
  let observer: IntersectionObserver | undefined;
  const found: Sight = {
    hidden: true,
    paused: false,
    follow(element, told) {
      observer = new IntersectionObserver(
        (entries) => {
          const seen = (entries.at(-1)?.intersectionRatio ?? 0) >= ENOUGH;
          if (seen !== found.hidden) return;
          found.hidden = !seen;
          told(seen);
        },
        { threshold: [0, ENOUGH] },
      );
      observer.observe(element);
    },
    end: () => observer?.disconnect(),
  };
  return found;
}
