// The grid of nodes: a card for each, in the order and the choice of the user.

import { el, setText, sync } from "./dom.js";
import { percent, plural } from "./format.js";
import { freeOf, inFlight, isStale, label, partOf, room, starvedOf, states } from "./node.js";

// maxDots is how many devices of a kind are drawn one by one.
const maxDots = 16;

const filters = {
  all: () => true,
  over: (node) => Boolean(node.over),
  stale: isStale,
  flight: inFlight,
  devices: (node) => Boolean(node.devices?.length),
  free: (node) => freeOf(node) > 0,
  starved: (node) => starvedOf(node) > 0,
};

// sorts return what nodes are sorted by, the smallest first.
const sorts = {
  name: () => 0,
  headroom: room,
  cpu: (node) => -partOf(node.cpu),
  memory: (node) => -partOf(node.memory),
  free: (node) => -freeOf(node),
  age: (node) => -(node.sampleAgeSeconds ?? Infinity),
};

const byName = new Intl.Collator("en", { numeric: true });

// choose returns the nodes to be shown, in order.
export function choose(nodes, { only, sort, name }) {
  const chosen = nodes.filter((node) => filters[only](node) && node.name.includes(name));
  const number = new Map(chosen.map((node) => [node, sorts[sort](node)]));
  return chosen.sort((a, b) => {
    const [x, y] = [number.get(a), number.get(b)];
    return x < y ? -1 : x > y ? 1 : byName.compare(a.name, b.name);
  });
}

// Grid shows nodes in a list of buttons, of which one is in the tab order.
export class Grid {
  constructor(list, open) {
    this.list = list;
    this.current = null; // the button in the tab order
    list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) open(button.dataset.name);
    });
    list.addEventListener("focusin", (event) => this.moveStop(event.target.closest("button")));
    list.addEventListener("keydown", (event) => this.onKey(event));
  }

  // show shows the nodes. While the pointer or the focus is in the grid nothing moves
  // under it, unless reorder says that the user wants another order.
  show(nodes, reorder) {
    if (!reorder && this.list.matches(":hover, :focus-within")) nodes = this.asBefore(nodes);
    sync(this.list, nodes, { key: (node) => node.name, show: shown, make, update });
    if (!this.current?.isConnected) this.moveStop(this.list.querySelector("button"));
  }

  // asBefore returns the nodes in the order in which they are on the page, new ones last.
  asBefore(nodes) {
    const place = new Map([...this.list.children].map((item, i) => [item.firstElementChild.dataset.name, i]));
    const of = (node) => place.get(node.name) ?? Infinity;
    return [...nodes].sort((a, b) => of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0);
  }

  moveStop(button) {
    if (!button || button === this.current) return;
    if (this.current) this.current.tabIndex = -1;
    this.current = button;
    button.tabIndex = 0;
  }

  onKey(event) {
    const items = [...this.list.children];
    const at = items.indexOf(document.activeElement?.parentElement);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const inRow = items.findIndex((item) => item.offsetTop !== items[0].offsetTop);
    const columns = inRow < 0 ? items.length : inRow;
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns, Home: 0, End: items.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (items[to]) reveal(items[to].firstElementChild);
  }
}

// reveal gives the focus to a card that may be far away. The height of cards on the way is
// known only once they are drawn, so it takes some frames to get there.
function reveal(button, frames = 4) {
  button.focus({ preventScroll: true });
  button.scrollIntoView({ block: "nearest" });
  if (frames > 0) requestAnimationFrame(() => { if (document.activeElement === button) reveal(button, frames - 1); });
}

// shown is what a card tells: all but the age of a fresh sample.
function shown(node) {
  return isStale(node) ? node : { ...node, sampleAgeSeconds: 0 };
}

function make(node) {
  return el("li", {}, el("button", { type: "button", class: "node", tabindex: "-1", "data-name": node.name },
    el("span", { class: "head" }, el("span", { class: "name" }, node.name), el("span", { class: "states" })),
    row("CPU"), row("Mem"), el("span", { class: "devices" })));
}

const row = (name) => el("span", { class: "resource" }, el("span", { class: "what" }, name),
  el("span", { class: "bar" }, el("i", { class: "measured" }), el("i", { class: "flight" }), el("i", { class: "mark" })),
  el("span", { class: "number" }));

function update(item, node) {
  const button = item.firstElementChild;
  const [head, cpu, memory, devices] = button.children;
  button.setAttribute("aria-label", label(node));
  button.classList.toggle("over", Boolean(node.over));
  button.classList.toggle("stale", isStale(node));
  head.lastElementChild.replaceChildren(...states(node).map(({ sign, text, level }) => el("span", { class: level }, `${sign} ${text}`)));
  fill(cpu, node.cpu);
  fill(memory, node.memory);
  devices.replaceChildren(...(node.devices ?? []).map(kindOf));
}

// fill draws a resource: measured, in flight, and the line, as parts of allocatable.
function fill(row, amounts) {
  const [, bar, number] = row.children;
  const use = amounts.use;
  const part = (n) => Math.max(0, Math.min(1, amounts.allocatable > 0 ? n / amounts.allocatable : 0));
  const measured = use ? part(use.measured) : 0;
  bar.style.setProperty("--measured", measured);
  bar.style.setProperty("--flight", use ? Math.max(measured, part(use.measured + use.inFlight)) - measured : 0);
  bar.style.setProperty("--line", use?.linePercent ? use.linePercent / 100 : 2);
  bar.classList.toggle("over", Boolean(use?.linePercent) && use.headroom < 0);
  bar.classList.toggle("unknown", !use);
  setText(number, use ? percent(use.predicted, amounts.allocatable) : "–");
}

// kindOf draws a node's devices of a kind.
function kindOf(kind) {
  const text = `${kind.used}/${kind.allocatable}`;
  if (kind.allocatable > maxDots) {
    return el("span", { class: "kind" }, `${text} used, ${kind.free} free`);
  }
  const useless = Math.min(kind.free, Math.round(kind.fragmented + kind.stranded));
  const dots = [
    ...Array(Math.max(0, kind.used - kind.starved)).fill("used"), ...Array(kind.starved).fill("starved"),
    ...Array(kind.free - useless).fill("free"), ...Array(useless).fill("useless"),
  ];
  return el("span", { class: "kind", title: kind.resource }, ...dots.map((of) => el("i", { class: `device ${of}` })), el("span", { class: "number" }, text));
}

export const summary = (shown, all) => shown === all ? plural(all, "node") : `${shown} of ${plural(all, "node")}`;
