// What has changed since the last update, in words, which are also read out.

import { plural } from "./format.js";

const most = 3; // nodes that are named

function named(names) {
  const rest = names.length - most;
  return names.slice(0, most).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

// news tells what is new in a state; empty if nothing is that matters.
export function news(before, now) {
  if (!before?.nodes?.length) return "";
  const parts = [];
  if (before.leader !== now.leader) parts.push(`The leader is now ${now.leader}.`);
  const was = new Set(before.nodes.filter((node) => node.over).map((node) => node.name));
  const is = now.nodes.filter((node) => node.over).map((node) => node.name);
  const over = is.filter((name) => !was.has(name));
  const below = [...was].filter((name) => !is.includes(name));
  if (over.length) parts.push(`Over the line now: ${named(over)}.`);
  if (below.length) parts.push(`Below the line again: ${named(below)}.`);
  if (before.waitingTotal !== now.waitingTotal) parts.push(`${plural(now.waitingTotal, "pod waits", "pods wait")} now, ${before.waitingTotal} before.`);
  return parts.join(" ");
}
