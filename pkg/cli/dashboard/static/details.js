// The dialog: what is known of a node, or why a pod is where it is. It is asked for anew
// with each update of the page.

import { get } from "./api.js";
import { el, setOptional, setText, table } from "./dom.js";
import { bytes, cores, count, percent, plural, span } from "./format.js";
import { states } from "./node.js";
import { podButton, signed } from "./rows.js";

export class Details {
  constructor(dialog) {
    this.dialog = dialog;
    this.heading = dialog.querySelector("h2");
    this.problem = dialog.querySelector("#details-problem");
    this.body = dialog.querySelector("#details-body");
    this.subject = null;
    this.shown = "";
    dialog.querySelector("#close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => { this.subject = null; this.origin?.focus(); });
  }

  openNode(name, page) { this.open({ title: `Node ${name}`, load: () => loadNode(name, page()) }); }
  openPod(pod) { this.open({ title: `Pod ${pod}`, load: () => loadPod(pod) }); }

  open(subject) {
    if (!this.dialog.open) {
      this.origin = document.activeElement;
      this.dialog.showModal();
    }
    this.subject = subject;
    this.shown = "";
    setText(this.heading, subject.title);
    setOptional(this.problem, "");
    this.body.replaceChildren(el("p", { class: "note" }, "Asking…"));
    this.heading.focus();
    this.refresh();
  }

  // refresh shows what is known now. What has not changed is left alone, and what has the
  // focus keeps it.
  async refresh() {
    const subject = this.subject;
    if (!subject) return;
    try {
      const content = await subject.load();
      if (subject !== this.subject) return;
      setOptional(this.problem, "");
      const text = JSON.stringify(content.of);
      if (text === this.shown) return;
      this.shown = text;
      const pod = this.body.contains(document.activeElement) ? document.activeElement.dataset.pod : null;
      this.body.replaceChildren(...content.make());
      if (pod) [...this.body.querySelectorAll("[data-pod]")].find((button) => button.dataset.pod === pod)?.focus();
    } catch (error) {
      if (subject === this.subject) setOptional(this.problem, error.message);
    }
  }
}

async function loadNode(name, { state, profile }) {
  const { pods } = await get("/api/node", { name, profile });
  const node = state.nodes.find((node) => node.name === name);
  return { of: [node, pods], make: () => node ? nodeView(node, pods) : [el("p", {}, "The node is gone.")] };
}

function nodeView(node, pods) {
  const sample = node.sampleAgeSeconds == null ? "no sample yet" : `sample ${span(node.sampleAgeSeconds)} old`;
  const unusual = states(node).map((state) => state.text).join(", ");
  const resource = (name, amounts, write) => {
    const use = amounts.use;
    return [name, write(amounts.allocatable), `${write(amounts.requested)} (${percent(amounts.requested, amounts.allocatable)})`,
      ...(use ? [`${write(use.measured)} (${percent(use.measured, amounts.allocatable)})`, write(use.inFlight), write(use.predicted),
        use.linePercent ? `${write(use.line)} (${use.linePercent}%)` : "none",
        { text: use.linePercent ? write(use.headroom) : "–", class: use.linePercent && use.headroom < 0 ? "bad" : "" }] : Array(5).fill("–"))];
  };
  const parts = [el("p", {}, `${node.state}, ${sample}. ${unusual ? unusual[0].toUpperCase() + unusual.slice(1) + "." : ""}`),
    table("Use against the line", ["Resource", "#Allocatable", "#Requested", "#Measured", "#In flight", "#Predicted", "#Line", "#Headroom"],
      [resource("CPU", node.cpu, cores), resource("Memory", node.memory, bytes)])];
  if (node.devices?.length) {
    parts.push(table("Devices", ["Kind", "#All", "#In use", "#Free", "#Fragmented", "#Stranded", "#Starved"], node.devices.map((kind) =>
      [kind.resource, kind.allocatable, kind.used, kind.free, count(kind.fragmented), count(kind.stranded), kind.starved].map(String))));
  }
  parts.push(pods.length ? table(plural(pods.length, "pod"), ["Pod", "Its use", "#CPU requested", "#CPU expected", "#Memory requested", "#Memory expected", "Devices"],
    pods.map((pod) => [podButton(`${pod.namespace}/${pod.name}`), phases[pod.phase] ?? pod.phase,
      cores(pod.cpu.requested), cores(pod.cpu.expected), bytes(pod.memory.requested), bytes(pod.memory.expected),
      Object.entries(pod.devices ?? {}).map(([kind, n]) => `${n} ${kind}`).join(", ") || "–"])) : el("p", {}, "No pods."));
  return parts;
}

// phases says how much of a pod's use samples show.
const phases = {
  Reserved: "in flight: reserved", Assigned: "in flight: assigned", Starting: "in flight: starting",
  PartlyMeasured: "partly measured", Measured: "measured", Remeasuring: "in flight: started anew",
};

async function loadPod(pod) {
  const why = await get("/api/why", { pod });
  return { of: why, make: () => podView(why) };
}

function podView(why) {
  const parts = why.lines.slice(1).map((line) => el("p", {}, line));
  if (why.decision?.nodes?.length) parts.push(nodesTable(why.decision));
  if (why.help?.length) {
    parts.push(el("h3", {}, "What would help, one of these"), el("ul", {}, ...why.help.map((line) => el("li", {}, line))));
  }
  if (!why.node && why.scheduled) parts.push(el("h3", {}, "The scheduler's words, of all plugins"), el("p", {}, why.scheduled));
  return parts;
}

function nodesTable(decision) {
  const { nodes } = decision;
  const more = decision.considered > nodes.length ? ` (${nodes.length} of ${decision.considered})` : "";
  return table(`Nodes that were considered${more}`,
    ["Node", "Verdict", "#CPU measured", "#In flight", "#The pod", "#Sum", "#Line", "#Memory sum", "#Memory line", "#NodeLoad", "#DeviceFit", "#Fragmented"],
    nodes.map((node) => [node.name, verdict(node, decision), ...loads(node.load), score(node.nodeLoad), score(node.deviceFit),
      node.fragmentation ? signed(node.fragmentation.after - node.fragmentation.before) : "–"]));
}

const score = (outcome) => outcome.score == null ? "–" : String(outcome.score);

function loads(load) {
  if (!load) return Array(7).fill("–");
  const sum = (of, write) => ({ text: write(of.predicted), class: of.thresholdPercent && of.predicted > of.threshold ? "bad" : "" });
  const line = (of, write) => of.thresholdPercent ? write(of.threshold) : "none";
  return [cores(load.cpu.measured), cores(load.cpu.inFlight), cores(load.cpu.estimate), sum(load.cpu, cores), line(load.cpu, cores),
    sum(load.memory, bytes), line(load.memory, bytes)];
}

function verdict(node, decision) {
  const rejected = node.nodeLoad.rejected || node.deviceFit.rejected;
  if (rejected) return { text: `✕ ${rejected}`, class: "bad" };
  if (node.name === decision.node) return { text: "✓ chosen", class: "good" };
  return node.state === "Fresh" ? "possible" : { text: `${node.state} sample`, class: "warn" };
}
