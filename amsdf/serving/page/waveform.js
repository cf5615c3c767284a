// The sound of a file as the browser decodes it, and its outline.

import { breathe } from "./dom.js";

const COLUMNS = 600;
//: Decoded sound fills memory: an hour at CD quality takes over a gigabyte while it is decoded.
const LONGEST = 3600;
const SHORT = 600;
const SLICE = 1 << 20;

/** Samples at 16 kHz, of long files at 8 kHz; null where the browser cannot decode the file. */
export async function decode(file, seconds) {
  if (seconds > LONGEST) return null;
  const rate = seconds > SHORT ? 8000 : 16000;
  try {
    const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(
      await file.arrayBuffer(),
    );
    return { rate, samples: await mono(sound) };
  } catch {
    return null;
  }
}

// In slices: an hour has thirty million samples.
async function mono(sound) {
  if (sound.numberOfChannels === 1) return sound.getChannelData(0);
  const channels = Array.from({ length: sound.numberOfChannels }, (_, n) =>
    sound.getChannelData(n),
  );
  const mixed = new Float32Array(sound.length);
  for (let first = 0; first < mixed.length; first += SLICE) {
    const end = Math.min(first + SLICE, mixed.length);
    for (const channel of channels) {
      for (let n = first; n < end; n++) mixed[n] += channel[n] / channels.length;
    }
    await breathe();
  }
  return mixed;
}

/** Draw the outline of samples as an SVG that fills its parent; null when `isStale()`. */
export async function outline({ samples }, isStale) {
  const columns = Math.min(COLUMNS, samples.length);
  const peaks = new Float32Array(columns);
  for (let column = 0; column < columns; column++) {
    const end = Math.floor(((column + 1) * samples.length) / columns);
    for (let index = Math.floor((column * samples.length) / columns); index < end; index++) {
      peaks[column] = Math.max(peaks[column], Math.abs(samples[index]));
    }
    if (column % 50 === 49) await breathe();
    if (isStale()) return null;
  }
  return draw(peaks);
}

function draw(peaks) {
  const loudest = peaks.reduce((most, peak) => Math.max(most, peak), 1e-4);
  const heights = Array.from(peaks, (peak) => (0.02 + (0.95 * peak) / loudest).toFixed(3));
  const upper = heights.map((height, index) => `${index},${(1 - height).toFixed(3)}`);
  const lower = heights.map((height, index) => `${index},${1 + Number(height)}`).reverse();
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  picture.setAttribute("viewBox", `0 0 ${Math.max(1, peaks.length - 1)} 2`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", `M${upper.join("L")}L${lower.join("L")}Z`);
  picture.append(path);
  return picture;
}
