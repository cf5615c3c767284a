// What moves the score: bars to the left speak for a machine, to the right for real speech.

import { make } from "./dom.js";
import { clock } from "./words.js";

const TITLES = { view: "Views", band: "Frequencies", time: "Time" };

/** The evidence of a verdict as groups of bars. */
export function evidenceBars({ evidence, explained }) {
  const most = evidence.reduce(
    (high, { towards_fake: moved }) => Math.max(high, Math.abs(moved)),
    1e-9,
  );
  const where = explained
    ? `From ${clock(explained.start)} to ${clock(explained.end)}, what sounds most like a machine. `
    : "";
  const groups = Object.keys(TITLES).map((kind) => {
    const rows = evidence.filter((each) => each.kind === kind).map((each) => row(each, most));
    return rows.length
      ? make("div.group", {}, make("h4", {}, TITLES[kind]), make("ul", {}, ...rows))
      : null;
  });
  const words =
    "Each bar says how the score moves without that piece: to the left, the piece speaks for a " +
    "machine; to the right, for real speech.";
  return [make("p.small", {}, where + words), make("div.groups", {}, ...groups)];
}

function row({ piece, towards_fake: moved }, most) {
  const side = moved > 0 ? "fake" : "real";
  const share = Math.abs(moved) / most;
  const bar = make(`i.${side}`);
  bar.style.width = `${50 * share}%`;
  const words = share < 0.005 ? "no difference" : `${side} ${Math.abs(moved).toPrecision(2)}`;
  return make(
    "li",
    {},
    make("span.piece", {}, piece),
    make("span.track", { "aria-hidden": "true" }, bar),
    make("span.moved", {}, words),
  );
}
