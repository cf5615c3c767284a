// Judges a recording with an exported detector. The rules are in detector.json, which
// scripts/build_browser_demo.py takes from the metadata of the ONNX file.
import * as ort from "./ort.wasm.min.mjs";

const RATE = 16000;
const QUIET = 1e-4; // parts with less than this share of the power of the loudest do not count
const file = document.getElementById("file");
const answer = document.getElementById("answer");
const list = document.getElementById("windows");

ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
ort.env.wasm.numThreads = 1;

async function samplesOf(recording) {
  const context = new OfflineAudioContext(1, 1, RATE); // it resamples what it decodes
  const sound = await context.decodeAudioData(await recording.arrayBuffer());
  const mixed = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    const data = sound.getChannelData(channel);
    for (let at = 0; at < mixed.length; at++) mixed[at] += data[at] / sound.numberOfChannels;
  }
  return mixed;
}

function startsOf(length, { clip, score }) {
  if (score.parts === "first") {
    const spare = Math.max(0, length - clip.samples);
    return [clip.eval_crop === "centre" ? Math.floor(spare / 2) : 0];
  }
  const last = Math.max(0, length - clip.samples);
  const step = Math.max(1, Math.round(clip.samples * score.hop));
  const starts = [];
  for (let start = 0; start < last; start += step) starts.push(start);
  return [...starts, last];
}

function fitted(sound, clip) {
  const part = new Float32Array(clip.samples);
  const repeats = clip.short === "repeat";
  for (let at = 0; at < part.length; at++) {
    if (at < sound.length || repeats) part[at] = sound[at % sound.length];
  }
  return part;
}

function powerOf(sound) {
  return sound.reduce((sum, value) => sum + value * value, 0) / sound.length;
}

function pooled(parts, { pool, quantile }) {
  const loudest = Math.max(...parts.map((part) => part.power));
  const scores = parts.filter((part) => part.power >= QUIET * loudest).map((part) => part.score);
  if (pool === "mean") return scores.reduce((sum, score) => sum + score, 0) / scores.length;
  scores.sort((one, other) => one - other);
  const place = quantile * (scores.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, scores.length - 1);
  return scores[below] + (place - below) * (scores[above] - scores[below]);
}

function probabilityOf(score, { method, scores, llrs, prior }) {
  let next = scores.findIndex((knot) => knot > score);
  if (next < 0) next = scores.length - 1;
  next = Math.max(next, 1);
  let share = (score - scores[next - 1]) / (scores[next] - scores[next - 1]);
  if (method === "isotonic") share = Math.min(Math.max(share, 0), 1);
  const llr = llrs[next - 1] + share * (llrs[next] - llrs[next - 1]);
  return 1 / (1 + Math.exp(-llr - Math.log(prior / (1 - prior))));
}

function decisionOf(probability, point) {
  if (probability <= point.fake_below) return "Probably fake.";
  return probability >= point.real_above ? "Probably real speech." : "Cannot tell.";
}

async function partsOf(sound, session, knows) {
  const parts = [];
  for (const start of startsOf(sound.length, knows)) {
    const heard = sound.subarray(start, start + knows.clip.samples);
    const waveform = new ort.Tensor("float32", fitted(heard, knows.clip), [1, knows.clip.samples]);
    const { score } = await session.run({ waveform });
    parts.push({ start, end: start + heard.length, power: powerOf(heard), score: score.data[0] });
    answer.textContent = `${(parts.at(-1).end / RATE).toFixed(0)} s heard.`;
  }
  return parts;
}

async function judge(recording, session, knows) {
  list.replaceChildren();
  const sound = await samplesOf(recording);
  if (!sound.some((value) => value !== 0)) throw new Error("it is digital silence");
  const parts = await partsOf(sound, session, knows);
  const probability = probabilityOf(pooled(parts, knows.score), knows.calibration);
  const decision = decisionOf(probability, knows.calibration.operating_point);
  answer.dataset.probability = probability;
  answer.textContent =
    `${decision} The chance that the speech is real is ${Math.round(100 * probability)} in 100.`;
  for (const part of parts) {
    const item = document.createElement("li");
    const chance = Math.round(100 * probabilityOf(part.score, knows.calibration));
    const span = [part.start, part.end].map((at) => (at / RATE).toFixed(1)).join(" to ");
    item.textContent = `${span} s: real ${chance} in 100`;
    list.append(item);
  }
}

try {
  const knows = await (await fetch("detector.json")).json();
  const session = await ort.InferenceSession.create("detector.onnx", {
    executionProviders: ["wasm"],
  });
  file.addEventListener("change", async () => {
    delete answer.dataset.probability;
    try {
      await judge(file.files[0], session, knows);
    } catch (error) {
      answer.textContent = `The recording cannot be judged: ${error.message}`;
    }
  });
  file.disabled = false;
  answer.textContent = "Ready.";
} catch (error) {
  answer.textContent = `The detector cannot be loaded: ${error.message}`;
}
