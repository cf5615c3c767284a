// A card a detector: its decision in words, its chance on a scale, its reasons and notes.

import { make } from "./dom.js";
import { evidenceBars } from "./evidence.js";
import { inHundred, sentence, styleOf } from "./words.js";

const SIGNS = { real: "✓", fake: "!", unsure: "?" };

/** The card of a verdict; `explain()` gives its verdict with evidence. */
export function card(verdict, named, explain) {
  const style = styleOf(verdict.decision);
  const notes = verdict.lines.slice(1).filter((line) => line.startsWith("Note: "));
  const others = verdict.lines
    .slice(1)
    .filter((line) => !line.startsWith("Note: "))
    .reverse();
  return make(
    `article.card.panel.${style}`,
    { "aria-label": `${verdict.detector.name}: ${verdict.headline}` },
    named ? make("p.who", {}, verdict.detector.name) : null,
    make(
      "h3.headline",
      {},
      make("span.sign", { "aria-hidden": "true" }, SIGNS[style]),
      verdict.headline,
    ),
    make("p.reason", {}, verdict.reason),
    scale(verdict.probability, verdict.operating_point),
    ...others.map((line) => make("p.line", {}, line)),
    notes.length
      ? make("ul.notes", {}, ...notes.map((line) => make("li", {}, sentence(line.slice(6)))))
      : null,
    verdict.windows.length ? explanation(explain) : null,
  );
}

/** A card that says why a detector has no answer. */
export function failedCard(name, message) {
  return make(
    "article.card.panel.failed",
    { "aria-label": `${name}: no answer` },
    make("p.who", {}, name),
    make("h3.headline", {}, "No answer."),
    make("p.reason", {}, message),
  );
}

/** A probability between "machine-made" and "real", with the zones of the operating point. */
export function scale(probability, point) {
  if (probability === null || probability === undefined) return null;
  const zones = make("div.zones", { "aria-hidden": "true" });
  if (point) {
    const [fake, unsure] = [100 * point.fake_below, 100 * (point.real_above - point.fake_below)];
    for (const [style, width] of [
      ["fake", fake],
      ["unsure", unsure],
      ["real", 100 - fake - unsure],
    ]) {
      const zone = make(`i.${style}`);
      zone.style.width = `${width}%`;
      zones.append(zone);
    }
  }
  const dot = make("b", { "aria-hidden": "true" });
  dot.style.left = `${100 * probability}%`;
  const limits = point
    ? ` Fake up to ${inHundred(point.fake_below)}, real from ${inHundred(point.real_above)}.`
    : "";
  return make(
    "div.scale",
    {
      role: "img",
      "aria-label": `The chance that the speech is real: ${inHundred(probability)}.${limits}`,
    },
    make("div.track", {}, zones, dot),
    make(
      "p.ends",
      { "aria-hidden": "true" },
      make("span", {}, "machine-made"),
      make("span", {}, "real"),
    ),
  );
}

function explanation(explain) {
  const place = make("div.explanation", {
    role: "group",
    tabindex: "-1",
    "aria-label": "Explanation",
  });
  const button = make("button.explain", { type: "button" }, "Explain");
  button.addEventListener("click", async () => {
    button.disabled = true;
    place.replaceChildren(
      make("p.small", { role: "status" }, "It listens again, each time without one piece …"),
    );
    try {
      place.replaceChildren(...evidenceBars(await explain()));
      button.remove();
      place.focus({ preventScroll: true });
    } catch (error) {
      place.replaceChildren(make("p.small", { role: "alert" }, error.message));
      button.disabled = false;
    }
  });
  return make("div", {}, button, place);
}
