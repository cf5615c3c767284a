// The page as a whole: what happens when a recording is given.

import { detectors, judge } from "./api.js";
import { card, failedCard } from "./cards.js";
import { find, make } from "./dom.js";
import { listenLive } from "./live.js";
import { record } from "./microphone.js";
import { Player } from "./player.js";
import { withToken } from "./token.js";
import { acceptFiles } from "./upload.js";
import { meaning, sentence, size, tested } from "./words.js";

//: How many seconds a server may take to open its detectors.
const PATIENCE = 120;

const player = new Player();
let known = [];
let asking = null; // the promise of `known`
let stop = null; // aborts the work in progress

async function start() {
  find("#meaning").append(...meaning().map((text) => make("p", {}, text)));
  acceptFiles(judgeFile, (count) => say(`One recording at a time, please; ${count} were dropped.`));
  find("#record").addEventListener("click", () => guard(recordOne));
  find("#live").addEventListener("click", () => guard(listen));
  find("#error button").addEventListener("click", () => {
    find("#error").hidden = true;
    find("#choose").focus(); // what has the focus is hidden
  });
  find("#busy .cancel").addEventListener("click", () => {
    stop?.abort();
    find("#choose").focus();
  });
  await guard(getDetectors);
}

/** Do some work; show what goes wrong in words. */
async function guard(work) {
  find("#error").hidden = true;
  try {
    await work();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
  }
}

function say(message) {
  find("#error p").textContent = sentence(message);
  find("#error").hidden = false;
}

/** The detectors, asked for once at a time: two who ask would open the dialog twice. */
function getDetectors() {
  asking ??= loadDetectors().catch((error) => {
    asking = null;
    throw error;
  });
  return asking;
}

async function loadDetectors() {
  known = await withToken(whenReady);
  const field = find("#detectors");
  const first = known.find((each) => each.default) ?? known[0];
  find(".choices", field).replaceChildren(
    ...known.map(({ name }) => {
      const box = make("input", { type: "checkbox", name: "detector", value: name });
      box.checked = name === first.name;
      return make("label", {}, box, name);
    }),
  );
  field.hidden = known.length < 2;
  find("#tested").replaceChildren(
    ...known
      .flatMap((each) => [
        known.length > 1 ? make("h3", {}, each.name) : null,
        ...tested(each).map((text) => make("p", {}, text)),
      ])
      .filter(Boolean),
  );
}

/** The detectors; a server that has just begun opens them first. */
async function whenReady() {
  for (let tries = 1; ; tries++) {
    try {
      return await detectors();
    } catch (error) {
      if (error.status !== 503 || tries === PATIENCE) throw error;
      find("#said").textContent = "The server is opening its detectors.";
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

function chosen() {
  const names = [...document.querySelectorAll("#detectors input:checked")].map((box) => box.value);
  if (!names.length) throw new Error("No detector is chosen: tick one.");
  return names;
}

async function recordOne() {
  const file = await alone(record);
  if (file) await judgeFile(file);
}

async function listen() {
  await getDetectors();
  const [name] = chosen();
  const detector = known.find((each) => each.name === name);
  await alone(() => listenLive(detector, known.length > 1));
}

/** Do some work during which nothing else can be begun. */
async function alone(work) {
  document.body.classList.add("compact");
  find("#result").hidden = true;
  player.pause(); // the microphone would hear it
  const buttons = document.querySelectorAll("#drop button");
  const begun = document.activeElement;
  for (const button of buttons) button.disabled = true;
  try {
    return await work();
  } finally {
    for (const button of buttons) button.disabled = false;
    begun.focus();
  }
}

function judgeFile(file) {
  return guard(async () => {
    stop?.abort();
    const mine = (stop = new AbortController());
    find("#result").hidden = true;
    document.body.classList.add("compact");
    player.open(file);
    try {
      if (!file.size) throw new Error(`There is nothing to judge in ${file.name}: it is empty.`);
      await getDetectors();
      await judgeWithAll(file, chosen(), mine.signal);
    } finally {
      if (stop === mine) find("#busy").hidden = true;
    }
  });
}

async function judgeWithAll(file, names, signal) {
  const found = [];
  for (const [index, name] of names.entries()) {
    const count = names.length > 1 ? ` (${name}, ${index + 1} of ${names.length})` : "";
    const onSent = (share) => showProgress(share, count);
    onSent(0);
    try {
      const verdict = await withToken(() => judge(file, name, { onSent, signal }));
      found.push({ name, verdict });
    } catch (error) {
      if (names.length === 1 || error.name === "AbortError" || error.status === 0) throw error;
      found.push({ name, message: error.message });
    }
  }
  showResult(file, found);
}

function showProgress(share, count) {
  const bar = find("#busy progress");
  find("#busy").hidden = false;
  find("#busy .words").textContent = share < 1 ? `Sending${count} …` : `Judging${count} …`;
  if (share < 1) bar.value = share;
  else bar.removeAttribute("value");
}

function showResult(file, found) {
  const verdicts = found.map(({ verdict }) => verdict).filter(Boolean);
  if (!verdicts.length) throw new Error(found[0].message);
  const several = found.length > 1;
  const explain = (name) => async () => withToken(() => judge(file, name, { explain: true }));
  find("#result-title").replaceChildren(file.name, make("span.small", {}, ` ${size(file.size)}`));
  find("#cards").replaceChildren(
    ...found.map(({ name, verdict, message }) =>
      verdict ? card(verdict, several, explain(name)) : failedCard(name, message),
    ),
  );
  find("#result").hidden = false;
  player.draw(verdicts[0].seconds);
  player.setVerdicts(verdicts);
  find("#said").textContent = verdicts.map((each) => `${each.headline} ${each.reason}`).join(" ");
  find("#result").scrollIntoView({ block: "nearest" });
}

start();
