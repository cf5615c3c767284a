// The dialog that asks for a token when the server wants one.

import { Refusal, setToken } from "./api.js";
import { find } from "./dom.js";

/** Do `work`; where the server asks for a token, ask the person and do it again. */
export async function withToken(work) {
  for (let again = false; ; again = true) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 401) throw error;
      setToken(await ask(again));
    }
  }
}

function ask(again) {
  const dialog = find("#token");
  const text = find("#token-text");
  find(".words", dialog).textContent = again
    ? "The server does not accept this token. Try another."
    : "Whoever runs the server has it. It is kept until this page is closed.";
  text.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  find(".leave", dialog).onclick = () => dialog.close("");
  return new Promise((resolve, reject) => {
    dialog.onclose = () =>
      dialog.returnValue === "ok"
        ? resolve(text.value.trim())
        : reject(new Refusal(401, "This server judges nothing without its token."));
  });
}
