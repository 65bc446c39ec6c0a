// The totals of the cluster.

import { el, sync } from "./dom.js";
import { bytes, cores, count, plural, shortName, span } from "./format.js";
import { isStale } from "./node.js";

const total = (items, of) => items.reduce((n, item) => n + (of(item) ?? 0), 0);

// kinds adds up the devices of all nodes, by resource.
function kinds(nodes) {
  const all = new Map();
  for (const node of nodes) {
    for (const kind of node.devices ?? []) {
      const sum = all.get(kind.resource) ?? { resource: kind.resource, allocatable: 0, used: 0, free: 0, fragmented: 0, stranded: 0, starved: 0 };
      for (const field of ["allocatable", "used", "free", "fragmented", "stranded", "starved"]) sum[field] += kind[field];
      all.set(kind.resource, sum);
    }
  }
  return [...all.values()].sort((a, b) => b.allocatable - a.allocatable);
}

// sampleAges tells the ages of samples: of most, and the oldest.
function sampleAges(nodes) {
  const ages = nodes.map((node) => node.sampleAgeSeconds).filter((age) => age != null).sort((a, b) => a - b);
  if (!ages.length) return { value: "–", notes: ["no node is measured"] };
  return { value: span(ages[0]), notes: [`oldest ${span(ages.at(-1))}`] };
}

// tiles are the totals: each a name, a value, notes, and a level if it is to be minded.
export function tiles(state) {
  const nodes = state.nodes;
  const over = nodes.filter((node) => node.over).length;
  const stale = nodes.filter(isStale).length;
  const flying = nodes.filter((node) => (node.cpu.use?.inFlight ?? 0) > 0.005).length;
  const waiting = `${state.waitingTotal}${state.waitingMore ? "+" : ""}`;
  const ages = sampleAges(nodes);
  return [
    { name: "Over the line", value: String(over), notes: [`of ${plural(nodes.length, "node")}`, stale ? `${stale} without a fresh sample` : null], level: over ? "bad" : "" },
    { name: "Pods waiting", value: waiting, notes: [], level: state.waitingTotal ? "warn" : "" },
    { name: "CPU in flight", value: cores(total(nodes, (node) => node.cpu.use?.inFlight)), notes: [`cores, on ${plural(flying, "node")}`, `${bytes(total(nodes, (node) => node.memory.use?.inFlight))} of memory`] },
    { name: "Newest sample", ...ages },
    ...kinds(nodes).map((kind) => ({
      name: shortName(kind.resource), value: `${kind.used}/${kind.allocatable}`, level: kind.starved ? "bad" : "",
      notes: [`${kind.free} free`, `${count(kind.fragmented)} fragmented`, `${count(kind.stranded)} stranded`, `${kind.starved} starved`],
      parts: [["used", kind.used - kind.starved], ["starved", kind.starved], ["free", kind.free]].map(([of, n]) => [of, n / Math.max(1, kind.allocatable)]),
    })),
  ];
}

export function showTotals(list, state) {
  sync(list, tiles(state), {
    key: (tile) => tile.name,
    show: (tile) => tile,
    make: () => el("div", { class: "tile" }),
    update: (child, tile) => {
      child.className = tile.level ? `tile is-${tile.level}` : "tile";
      const bar = tile.parts && el("dd", { class: "stack", "aria-hidden": "true" }, ...tile.parts.map(([of, part]) => {
        const piece = el("i", { class: of });
        piece.style.setProperty("--part", part);
        return piece;
      }));
      child.replaceChildren(el("dt", {}, tile.name), el("dd", { class: "value" }, tile.value),
        ...(bar ? [bar] : []), el("dd", { class: "notes" }, tile.notes.filter(Boolean).join(" · ")));
    },
  });
}
