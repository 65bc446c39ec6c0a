// What there is to say of one node.

import { bytes, cores, count, percent, plural, shortName, span } from "./format.js";

const sum = (node, field) => (node.devices ?? []).reduce((n, kind) => n + kind[field], 0);

export const freeOf = (node) => sum(node, "free");
export const usedOf = (node) => sum(node, "used");
export const starvedOf = (node) => sum(node, "starved");
export const uselessOf = (node) => sum(node, "fragmented") + sum(node, "stranded");
export const isStale = (node) => node.state !== "Fresh";
export const inFlight = (node) => (node.cpu.use?.inFlight ?? 0) > 0.005 || (node.memory.use?.inFlight ?? 0) > 2 ** 20;

// partOf is the predicted use of a resource as a part of what is allocatable, -1 if it
// is not known.
export const partOf = (amounts) => amounts.use && amounts.allocatable > 0 ? amounts.use.predicted / amounts.allocatable : -1;

// room is the least that is left below a line, as a part of what is allocatable.
export function room(node) {
  const parts = [node.cpu, node.memory]
    .filter((of) => of.use?.linePercent && of.allocatable > 0)
    .map((of) => of.use.headroom / of.allocatable);
  return parts.length ? Math.min(...parts) : Infinity;
}

// states are what is out of the ordinary, each with a sign and a level.
export function states(node) {
  const all = [];
  if (node.over) all.push({ sign: "▲", text: `over ${node.over}`, level: "bad" });
  if (node.awaits) all.push({ sign: "…", text: "awaits a sample", level: "warn" });
  else if (node.state === "Missing") all.push({ sign: "?", text: "no sample", level: "warn" });
  else if (node.state === "Stale") all.push({ sign: "◷", text: `stale, ${span(node.sampleAgeSeconds)}`, level: "warn" });
  if (starvedOf(node)) all.push({ sign: "×", text: `${starvedOf(node)} starved`, level: "bad" });
  if (node.unschedulable) all.push({ sign: "⊘", text: "cordoned", level: "quiet" });
  return all;
}

function told(name, amounts, write) {
  const use = amounts.use;
  if (!use) return `${name}: use not known, ${percent(amounts.requested, amounts.allocatable)} requested`;
  let text = `${name}: ${percent(use.measured, amounts.allocatable)} measured`;
  if (use.inFlight) text += `, ${write(use.inFlight)} in flight`;
  return text + (use.linePercent ? `, line at ${use.linePercent}%` : ", no line");
}

// label says all of a node's card in words.
export function label(node) {
  const parts = [node.name, ...states(node).map((state) => state.text)];
  parts.push(told("CPU", node.cpu, (n) => `${cores(n)} cores`), told("memory", node.memory, bytes));
  for (const kind of node.devices ?? []) {
    const useless = kind.fragmented + kind.stranded;
    parts.push(`${shortName(kind.resource)}: ${kind.used} of ${kind.allocatable} in use, ${kind.free} free` +
      (useless ? `, of which ${count(useless)} of no use` : ""));
  }
  parts.push(plural(node.pods, "pod"));
  return parts.join("; ");
}
