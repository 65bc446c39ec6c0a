// Making and updating elements. What comes from the cluster becomes text, never HTML.

// el makes an element with attributes and children: elements or texts.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

// setText sets a text if it is another one: what is unchanged is not read out again.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// setOptional sets a text, and hides the element if it is empty.
export function setOptional(element, text) {
  setText(element, text);
  element.hidden = text === "";
}

// sync makes the children of parent those of items, in their order. It makes a child for a
// key that is new, has update change one only if what it shows has changed, and moves as
// few as it can. show returns what is shown of an item, which decides whether it changed.
export function sync(parent, items, { key, show, make, update }) {
  parent.shown ??= new Map();
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const kept = new Map();
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const text = JSON.stringify(show(item));
    const known = parent.shown.get(name);
    const child = known?.child ?? make(item);
    if (known?.text !== text) update(child, item);
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
    kept.set(name, { child, text });
  }
  for (const [name, { child }] of parent.shown) if (!kept.has(name)) child.remove();
  parent.shown = kept;
  if (focused && parent.contains(focused) && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

// table makes a table of rows of cells. A cell is a text, an element, or {text, class}.
// columns that begin with "#" are numbers.
export function table(caption, columns, rows) {
  const isNumber = columns.map((column) => column.startsWith("#"));
  const head = columns.map((column, i) => el("th", { scope: "col", class: isNumber[i] ? "number" : null }, column.replace("#", "")));
  const cellOf = (cell, i) => {
    const { text, class: of } = cell?.text != null ? cell : { text: cell };
    const classes = [isNumber[i] ? "number" : "", of ?? ""].join(" ").trim() || null;
    return i === 0 ? el("th", { scope: "row", class: classes }, text) : el("td", { class: classes }, text);
  };
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, ...head)),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map(cellOf))))));
}
