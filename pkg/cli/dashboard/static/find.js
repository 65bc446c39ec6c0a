// Finding a pod by a part of its name.

import { get } from "./api.js";
import { el, setText } from "./dom.js";
import { podButton } from "./rows.js";

const pause = 250; // milliseconds after the last key
const least = 2; // characters

export class Find {
  constructor(input, panel) {
    this.input = input;
    this.panel = panel;
    this.note = panel.querySelector("p");
    this.list = panel.querySelector("ul");
    input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.find(), pause);
    });
    const search = input.closest("search");
    search.addEventListener("keydown", (event) => this.onKey(event));
    search.addEventListener("focusout", (event) => { if (!search.contains(event.relatedTarget)) panel.hidden = true; });
    input.addEventListener("focus", () => { panel.hidden = this.text().length < least; });
  }

  text() { return this.input.value.trim(); }

  async find() {
    this.asked?.abort();
    const text = this.text();
    this.panel.hidden = text.length < least;
    if (this.panel.hidden) return;
    this.asked = new AbortController();
    try {
      this.show(await get("/api/find", { text }, this.asked.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.list.replaceChildren();
      setText(this.note, error.message);
    }
  }

  show(pods) {
    setText(this.note, pods.length === 0 ? "No pod has that in its name." : pods.length === 1 ? "1 pod" : `${pods.length}${pods.length === 50 ? " or more" : ""} pods`);
    this.list.replaceChildren(...pods.map((pod) => el("li", {}, podButton(pod.pod), el("span", { class: "for" }, pod.node ? `on ${pod.node}` : "waits"))));
  }

  onKey(event) {
    const all = [this.input, ...this.list.querySelectorAll("button")];
    const at = all.indexOf(document.activeElement);
    if (event.key === "Escape") {
      this.input.focus(); // which shows the panel
      this.panel.hidden = true;
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && at >= 0) {
      event.preventDefault();
      all[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    }
  }
}
