// The lists beside the grid: pods that wait, and the last decisions.

import { el, setText, sync } from "./dom.js";
import { bytes, cores, percent, span } from "./format.js";

// podButton makes a button that opens why a pod is where it is (see main.js).
export const podButton = (pod) => el("button", { type: "button", class: "pod", "data-pod": pod }, pod);

// timeSince makes an element whose text is how long ago a moment is; showTimes updates it.
export const timeSince = (moment, before = "", after = "") =>
  el("time", { datetime: moment, "data-before": before, "data-after": after });

// showTimes writes all times anew. now is by the scheduler's clock, in milliseconds.
export function showTimes(root, now) {
  for (const time of root.querySelectorAll("time")) {
    setText(time, time.dataset.before + span((now - Date.parse(time.dateTime)) / 1000) + time.dataset.after);
  }
}

export function showWaiting(list, waiting) {
  sync(list, waiting.length ? waiting : [{ pod: "", none: "No pod waits." }], {
    key: (pod) => pod.pod,
    show: (pod) => pod,
    make: () => el("li"),
    update: (child, pod) => child.replaceChildren(...(pod.none ? [pod.none] : [
      el("span", { class: "line" }, podButton(pod.pod), timeSince(pod.since, "for ")),
      el("span", { class: "reason" }, pod.reason),
      pod.for ? el("span", { class: "for" }, `Waits for ${pod.for}`) : "",
    ])),
  });
}

const results = { Placed: ["✓", "good"], TakenBack: ["↩", "warn"], Waits: ["…", "warn"] };
const words = { Placed: "placed", TakenBack: "taken back", Waits: "waits" };

export function showDecisions(list, decisions) {
  sync(list, decisions.length ? decisions : [{ uid: "", none: "No decision in the last hour." }], {
    key: (decision) => `${decision.uid} ${decision.time}`,
    show: (decision) => decision,
    make: () => el("li"),
    update: (child, decision) => child.replaceChildren(...(decision.none ? [decision.none] : describe(decision))),
  });
}

function describe(decision) {
  const [sign, level] = results[decision.result] ?? ["", ""];
  return [
    el("span", { class: "line" }, podButton(decision.pod), timeSince(decision.time, "", " ago")),
    el("span", { class: "reason" }, el("span", { class: level }, `${sign} ${words[decision.result] ?? decision.result}`),
      decision.node ? ` on ${decision.node}` : "", `, of ${decision.considered} considered`),
    el("span", { class: "for" }, numbers(decision)),
  ];
}

// numbers are those of the node that was chosen, or why no node was.
function numbers(decision) {
  const parts = [];
  const { load, nodeLoad, deviceFit, fragmentation } = decision.chosen ?? {};
  if (load) {
    parts.push(`CPU ${cores(load.cpu.predicted)}${limit(load.cpu, cores)}`, `memory ${bytes(load.memory.predicted)}${limit(load.memory, bytes)}`);
  }
  if (nodeLoad?.score != null) parts.push(`NodeLoad ${nodeLoad.score}`);
  if (deviceFit?.score != null) parts.push(`DeviceFit ${deviceFit.score}`);
  if (fragmentation) parts.push(`fragmented ${signed(fragmentation.after - fragmentation.before)}`);
  for (const [reason, nodes] of Object.entries(decision.rejected ?? {})) parts.push(`rejected: ${nodes} ${reason}`);
  return parts.join(" · ");
}

const limit = (load, write) => load.thresholdPercent ? ` of ${write(load.threshold)} to the line (${percent(load.predicted, load.threshold)})` : "";
export const signed = (n) => (n >= 0 ? "+" : "−") + Math.abs(n).toFixed(1);
