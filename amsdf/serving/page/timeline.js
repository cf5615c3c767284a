// The windows of a recording as a lane of bars, a lane a detector; flagged spans are buttons.

import { make, place } from "./dom.js";
import { clock, decide, styleOf } from "./words.js";

//: Bars that are drawn at most, and with how many there is room for lines between them.
const MOST_BARS = 400;
const SEPARATE = 120;

/** A lane: `onPlay(start, end)` is called for a flagged span. */
export function lane(verdict, seconds, named, onPlay) {
  const bars = make("div.bars", { role: "img", "aria-label": described(verdict) });
  const scores = verdict.windows.map((window) => window.score);
  const [lowest, highest] = [least(scores), -least(scores.map((score) => -score))];
  const drawn = thinned(cells(verdict.windows, seconds));
  if (drawn.length <= SEPARATE) bars.classList.add("separate");
  drawn.forEach(({ window, start, end }) => {
    const rank = highest > lowest ? (window.score - lowest) / (highest - lowest) : 0.5;
    const fake = 1 - (window.probability ?? rank);
    const style = window.quiet
      ? "quiet"
      : styleOf(decide(window.probability, verdict.operating_point));
    const bar = place(make(`i.${style}`, { title: tip(window) }), start, end, seconds);
    bar.style.height = `${Math.max(6, 100 * fake)}%`;
    bars.append(bar);
  });
  const flags = verdict.flagged.map(({ start, end }) => {
    const words = `sounds machine-made from ${clock(start)} to ${clock(end)}`;
    const button = make("button.flag", {
      type: "button",
      "aria-label": `${verdict.detector.name}: ${words}. Play it`,
    });
    button.title = `${words}: play it`;
    button.append(make("span", { "aria-hidden": "true" }, "machine-made"));
    button.addEventListener("click", () => onPlay(start, end));
    return place(button, start, Math.min(end, seconds), seconds);
  });
  const head = named ? make("p.lane-name", {}, verdict.detector.name) : null;
  return make(
    "div.lane-place",
    {},
    ...[head, make("div.lane", {}, bars, ...flags)].filter(Boolean),
  );
}

/** Windows overlap: each is drawn around its centre, up to where the next begins. */
function cells(windows, seconds) {
  return windows.map((window, index) => {
    const [before, after] = [windows[index - 1], windows[index + 1]];
    const start = before ? middle(window.start, before.end) : window.start;
    const end = after ? middle(after.start, window.end) : window.end;
    return { window, start, end: Math.min(end, seconds) };
  });
}

/** Of many cells a few hundred: of neighbours, what sounds most like a machine stands for all. */
function thinned(all) {
  const size = Math.ceil(all.length / MOST_BARS);
  if (size <= 1) return all;
  const worst = (one, other) => (rankOf(other.window) < rankOf(one.window) ? other : one);
  const groups = Array.from({ length: Math.ceil(all.length / size) }, (_, n) =>
    all.slice(n * size, (n + 1) * size),
  );
  return groups.map((group) => ({
    window: group.reduce(worst).window,
    start: group[0].start,
    end: group.at(-1).end,
  }));
}

const rankOf = ({ quiet, score }) => (quiet ? Infinity : score);
const middle = (one, other) => (one + other) / 2;
const least = (values) => values.reduce((low, value) => Math.min(low, value), Infinity);

function tip({ start, end, probability, score, quiet }) {
  const when = `${clock(start)} to ${clock(end)}`;
  if (quiet) return `${when}: too quiet to count`;
  if (probability === null) return `${when}: score ${score.toFixed(2)}`;
  return `${when}: ${Math.round(100 * (1 - probability))} in 100 machine-made`;
}

function described({ windows, flagged, detector }) {
  const spans = flagged.map(({ start, end }) => `${clock(start)} to ${clock(end)}`);
  const found = spans.length ? `flagged: ${spans.slice(0, 5).join(", ")}` : "nothing is flagged";
  const more = spans.length > 5 ? ` and ${spans.length - 5} more` : "";
  return `${detector.name}: ${windows.length} windows, ${found}${more}`;
}

/** Marks of time below the lanes. */
export function axis(seconds) {
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800];
  const step = steps.find((each) => seconds / each <= 6) ?? 3600;
  const marks = [];
  for (let time = 0; time < seconds * 0.92; time += step) {
    const mark = make("span", {}, step < 1 ? clock(time) : clock(time).split(".")[0]);
    mark.style.left = `${(100 * time) / seconds}%`;
    marks.push(mark);
  }
  return marks;
}
