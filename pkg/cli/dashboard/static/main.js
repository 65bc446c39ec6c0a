// The page: asks for the state of the cluster again and again while it is visible, and
// shows it.

import { enter, get, Gone } from "./api.js";
import { el, setOptional, setText, sync } from "./dom.js";
import { Details } from "./details.js";
import { Find } from "./find.js";
import { plural, span } from "./format.js";
import { choose, Grid, summary } from "./grid.js";
import { news } from "./news.js";
import { showDecisions, showTimes, showWaiting } from "./rows.js";
import { showTotals } from "./totals.js";

const byId = (id) => document.getElementById(id);
const retry = 5; // seconds after a failure of this command

let state = null; // the last one with nodes in it
let received = 0; // when, by performance.now()
let profile = ""; // the one that was chosen; empty is the first
let timer = 0;

const details = new Details(byId("details"));
const openNode = (name) => details.openNode(name, () => ({ state, profile }));
const grid = new Grid(byId("nodes"), openNode);
new Find(byId("find"), byId("found"));

document.addEventListener("click", (event) => {
  const pod = event.target.closest?.("[data-pod]")?.dataset.pod;
  if (pod) details.openPod(pod);
});
for (const id of ["only", "sort", "name"]) byId(id).addEventListener("input", () => showNodes(true));
byId("profile").addEventListener("change", () => { profile = byId("profile").value; update(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) update(); });
setInterval(() => { if (state && !document.hidden) showAges(); }, 1000);

enter().then(update, (error) => problem(error.message));

// update asks for the state, shows it, and has itself called again.
async function update() {
  clearTimeout(timer);
  let next = retry;
  try {
    const now = await get("/api/state", { profile });
    next = now.nextSeconds;
    show(now);
    await details.refresh();
  } catch (error) {
    if (error.status === 404 && profile) profile = ""; // it is not there any more
    problem(error instanceof Gone && state ? `${error.message}. What is shown is what was known then.` : error.message);
    if (error.status === 401) return;
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(update, Math.max(0.2, next) * 1000);
}

// problem says why what is shown is not what is now.
function problem(text) {
  setOptional(byId("problem"), text);
  document.body.classList.toggle("stale", text !== "");
  if (state) showAges();
}

function show(now) {
  if (!now.nodes) { // the leader was never reached
    problem(now.error);
    return;
  }
  const text = news(state, now);
  if (text) setText(byId("news"), `${new Date().toLocaleTimeString()} ${text}`);
  [state, received] = [now, performance.now() - now.ageSeconds * 1000];
  setText(byId("leader"), `${now.leader}, ${now.version}`);
  showProfiles();
  showTotals(byId("totals"), now);
  showNodes(false);
  showWaiting(byId("waiting"), now.waiting);
  setText(byId("waiting-heading"), now.waitingTotal ? `Pods that wait: ${now.waitingTotal}${now.waitingMore ? "+" : ""}` : "Pods that wait");
  setOptional(byId("waiting-note"), waitingNote(now));
  showDecisions(byId("decisions"), now.decisions);
  problem(now.error ? `The leader cannot be asked; it is tried again. ${now.error}` : "");
}

function waitingNote(now) {
  const some = now.waiting.length < now.waitingTotal ? `The ${now.waiting.length} that have waited longest.` : "";
  return [some, now.waitingNote ?? ""].join(" ").trim();
}

function showProfiles() {
  const select = byId("profile");
  sync(select, state.profiles, { key: (name) => name, show: (name) => name, make: (name) => el("option", { value: name }, name), update: () => {} });
  select.value = state.profile;
}

function showNodes(reorder) {
  if (!state) return;
  const nodes = choose(state.nodes, { only: byId("only").value, sort: byId("sort").value, name: byId("name").value.trim() });
  grid.show(nodes, reorder);
  setText(byId("shown"), summary(nodes.length, state.nodes.length));
}

// showAges writes what grows older by itself.
function showAges() {
  const age = (performance.now() - received) / 1000;
  showTimes(document.body, Date.parse(state.time) + age * 1000);
  const stale = document.body.classList.contains("stale");
  setText(byId("live-text"), stale ? `Not live: as of ${span(age)} ago` : `Live: ${plural(state.nodes.length, "node")}`);
}
