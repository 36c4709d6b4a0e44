// Names of reactions as the service keeps them, and how they look.
export const EMOJI: Record<string, string> = { like: "👍", love: "❤️", haha: "😂", fire: "🔥" };

/** What a reaction looks like; a name without a picture is shown as it is. */
export function emoji(name: string): string {
  return EMOJI[name] ?? name.slice(0, 20);
}
