// What the page says: times, chances, and the texts about detectors.

/** A time in a recording: 0:04.5, 1:02:04.0. */
export function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  const minutes = Math.floor(tenths / 600);
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** A probability as people say it. */
export function inHundred(probability) {
  const share = Math.round(100 * probability);
  if (share === 0) return "under 1 in 100";
  return share === 100 ? "over 99 in 100" : `${share} in 100`;
}

/** Words with a capital in front. */
export const sentence = (words) => words.slice(0, 1).toUpperCase() + words.slice(1);

/** What a probability that the speech is real means at an operating point. */
export function decide(probability, point) {
  if (probability === null || !point) return "cannot tell";
  if (probability <= point.fake_below) return "fake";
  return probability >= point.real_above ? "real" : "cannot tell";
}

/** A decision as the name of a style. */
export const styleOf = (decision) => (decision === "cannot tell" ? "unsure" : decision);

/** Size of a file. */
export function size(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

const MEANING = [
  "A detector compares the sound of a recording with real and machine-made speech that it was " +
    "trained on. It gives the chance that the speech is real. It listens to the sound alone: it " +
    "does not know who speaks, or whether what is said is true.",
  "“Probably” means what it says. Some real recordings are called fake, and many fakes pass, " +
    "above all those of systems that are newer than the detector. Noise, music, telephone lines " +
    "and strong compression make errors more likely.",
  "“Cannot tell” is an answer, too: there is too little speech, the evidence is weak, or the " +
    "recording is unlike what the detector knows.",
  "The answer is not evidence. Do not accuse, pay, publish or delete because of it alone. Ask for " +
    "the source of the recording, listen for yourself, and compare several detectors.",
];

/** Paragraphs: what an answer means. */
export const meaning = () => MEANING;

/** Paragraphs: how a detector was tested, from what the server knows of it. */
export function tested({ trained_on: corpora, dev, views }) {
  const found = [];
  const named = Object.entries(views ?? {}).map(([name, encoder]) => `${name} (${encoder})`);
  if (named.length) {
    const counted = named.length === 1 ? "one view" : `${named.length} views`;
    found.push(`It hears a recording in ${counted}: ${named.join(", ")}.`);
  }
  found.push(
    corpora?.length
      ? `It was trained on ${corpora.length === 1 ? "one corpus" : `${corpora.length} corpora`}: ` +
          `${corpora.join(", ")}.`
      : "It does not say what it was trained on.",
  );
  if (!dev) {
    found.push("It has no calibration, so its scores only rank recordings: it never decides.");
    return found;
  }
  const percent = (share) => (100 * share).toFixed(1);
  found.push(
    `Its chances were fitted on ${dev.num_bonafide} real and ${dev.num_spoof} fake clips ` +
      `(${dev.corpora.join(", ") || "corpora that are not named"}). There its equal error rate is ` +
      `${percent(dev.eer)} % (95 % interval: ${percent(dev.eer_low)} to ` +
      `${percent(dev.eer_high)} %): so many of the real and of the fake clips are mistaken where ` +
      "the threshold makes both errors equally frequent. Guessing gives 50 %.",
  );
  found.push(
    "This figure is a best case. Expect more errors with systems, voices and lines that it has " +
      "not heard; nobody knows in advance how many.",
  );
  return found;
}
