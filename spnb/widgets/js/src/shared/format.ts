// Numbers as people read them.

/** 75 → "1:15", 3675 → "1:01:15". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(minutes).padStart(hours ? 2 : 1, "0")}:${String(rest).padStart(2, "0")}`;
  return hours ? `${hours}:${tail}` : tail;
}

export function kilobits(value: number): string {
  return value >= 1000 ? `${(value / 1000).toFixed(1)} Mb/s` : `${Math.round(value)} kb/s`;
}

export const LABELS: Record<string, string> = {
  idle: "Not started",
  live: "Live",
  waitingReconnect: "Reconnecting",
  ended: "Processing",
  recorded: "Recorded",
  terminated: "Terminated",
  error: "Error",
};

export function label(status: string): string {
  return LABELS[status] ?? status;
}

/** A point in time, in Unix seconds, in the one zone that all widgets tell times in, with its name. */
export function moment(seconds: number): string {
  const at = new Date(seconds * 1000);
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** The same of today or another day that what stands around it tells: the time alone. */
export function minute(seconds: number): string {
  return moment(seconds).slice("2026-11-26 ".length);
}
