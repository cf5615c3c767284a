// The microphone: its samples in blocks, its level, and a recording of it as a WAV file.

import { find } from "./dom.js";
import { clock } from "./words.js";

//: After so many seconds a recording stops by itself.
const LONGEST = 600;
const WHY_NOT = {
  NotAllowedError:
    "The browser may not use the microphone. Allow it for this page, then try again.",
  NotFoundError: "No microphone is found.",
  OverconstrainedError: "No microphone is found.", // in WebKit; nothing here is a must
  NotReadableError: "Another program uses the microphone.",
};

/** Open the microphone; `onBlock` is given Float32Arrays and their rate. Gives how to stop. */
export async function openMicrophone(onBlock) {
  if (!navigator.mediaDevices || !globalThis.AudioWorkletNode) {
    throw new Error("The browser lends its microphone to https and localhost only.");
  }
  // Detectors are to hear what the microphone hears, without anything made better.
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, ...plain } });
  } catch (error) {
    throw new Error(WHY_NOT[error.name] ?? `The microphone does not start: ${error.message}`);
  }
  const context = new AudioContext();
  const stop = async () => {
    for (const track of stream.getTracks()) track.stop();
    await context.close();
  };
  try {
    await context.audioWorklet.addModule("capture-worklet.js");
    const node = new AudioWorkletNode(context, "capture", {
      channelCount: 1,
      channelCountMode: "explicit",
    });
    node.port.onmessage = ({ data }) => onBlock(data, context.sampleRate);
    // It gives silence on; without a way to the end it would not run.
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    await context.resume();
  } catch (error) {
    await stop();
    throw new Error(`The microphone does not start: ${error.message}`);
  }
  return stop;
}

/** Show the level of a block (S,) in a meter: -60 dB to full scale. */
export function showLevel(meter, block) {
  const peak = block.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1e-6);
  const share = Math.max(0, Math.min(1, 1 + Math.log10(peak) / 3));
  meter.setAttribute("aria-valuenow", Math.round(100 * share));
  meter.firstElementChild.style.width = `${100 * share}%`;
}

/** Record with the panel `#recorder`; gives a WAV file, or null if it is discarded. */
export async function record() {
  const panel = find("#recorder");
  const [meter, time] = [find(".meter", panel), find(".time", panel)];
  const blocks = [];
  let [heard, rate] = [0, 1];
  let finish;
  const finished = new Promise((done) => (finish = done));
  const stop = await openMicrophone((block, blockRate) => {
    rate = blockRate;
    blocks.push(block);
    heard += block.length;
    showLevel(meter, block);
    time.textContent = clock(heard / rate);
    if (heard > LONGEST * rate) finish(true);
  });

  panel.hidden = false;
  find(".stop", panel).onclick = () => finish(true);
  find(".discard", panel).onclick = () => finish(false);
  find(".stop", panel).focus();
  const wanted = await finished;
  await stop();
  panel.hidden = true;
  return wanted ? new File([wav(blocks, rate)], "Your recording.wav") : null;
}

/** Blocks of samples from -1 to 1 -> a WAV file, 16 bits, one channel. */
export function wav(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const words = (place, text) =>
    [...text].forEach((letter, index) => view.setUint8(place + index, letter.charCodeAt(0)));
  words(0, "RIFF");
  view.setUint32(4, 36 + 2 * count, true);
  words(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  words(36, "data");
  view.setUint32(40, 2 * count, true);
  let place = 44;
  for (const block of blocks) {
    for (const sample of block) {
      view.setInt16(place, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true);
      place += 2;
    }
  }
  return new Blob([view], { type: "audio/wav" });
}
