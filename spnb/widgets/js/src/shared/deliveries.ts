// Which webhooks are looked at, and in which order.

export const PAGE = 25;

export type DeliveryRow = {
  id: string;
  at: number;
  event: string;
  name: string;
  room: string;
  source: string;
  copies: number;
  handled: string;
  refused?: string;
};

const STATES: Record<string, (row: DeliveryRow) => boolean> = {
  verified: (row) => !row.refused,
  refused: (row) => !!row.refused,
  failed: (row) => row.handled === "failed",
  copies: (row) => row.copies > 1,
};

/** The rows that are wanted, newest first. */
export function chosenDeliveries(rows: Iterable<DeliveryRow>, text: string, state: string): DeliveryRow[] {
  const wanted = text.trim().toLowerCase();
  const fits = STATES[state] ?? (() => true);
  const found = [...rows].filter(
    (row) =>
      fits(row) && (!wanted || `${row.name}\n${row.event}\n${row.room}\n${row.refused ?? ""}`.toLowerCase().includes(wanted)),
  );
  return found.sort((one, other) => other.at - one.at || Number(other.id) - Number(one.id));
}
