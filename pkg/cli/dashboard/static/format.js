// How amounts are written: as the other commands of kubectl plimsoll do.

export const cores = (n) => n == null ? "–" : n.toFixed(Math.abs(n) < 10 ? 2 : 1);

export function bytes(n) {
  if (n == null) return "–";
  const units = ["", "Ki", "Mi", "Gi", "Ti", "Pi"];
  let i = 0;
  while (Math.abs(n) >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return n.toFixed(i === 0 || Math.abs(n) >= 100 ? 0 : 1) + units[i];
}

export const percent = (part, whole) => whole > 0 && part != null ? `${Math.round(100 * part / whole)}%` : "–";

export const count = (n) => Number.isInteger(n) ? String(n) : n.toFixed(1);

// span writes a time in seconds with its two largest units.
export function span(seconds) {
  if (seconds == null) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s}s`;
  const m = Math.floor(s / 60);
  if (m < 120) return m < 10 && s % 60 ? `${m}m${s % 60}s` : `${m}m`;
  const h = Math.floor(m / 60);
  if (h < 48) return m % 60 ? `${h}h${m % 60}m` : `${h}h`;
  return `${Math.floor(h / 24)}d`;
}

export const plural = (n, one, many = one + "s") => `${n} ${n === 1 ? one : many}`;

// shortName is a resource without what all of its kind have.
export const shortName = (resource) => resource.replace("deviceclass.resource.kubernetes.io/", "class ");
