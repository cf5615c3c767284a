// Elements of the page, made from values. Text is never read as HTML.

/** An element: `make("p.small", {title: "x"}, "words", other)`. */
export function make(what, attributes = {}, ...inside) {
  const [name, ...classes] = what.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...inside.filter((each) => each !== null && each !== undefined));
  return element;
}

/** The one element that a selector names. */
export const find = (selector, within = document) => within.querySelector(selector);

/** Place an element from `start` to `end` of `whole`, along its parent. */
export function place(element, start, end, whole) {
  element.style.left = `${(100 * start) / whole}%`;
  element.style.width = `${(100 * (end - start)) / whole}%`;
  return element;
}

/** Let the browser draw, and go on. */
export const breathe = () => new Promise((done) => setTimeout(done, 0));
