// A file, chosen or dropped.

import { find } from "./dom.js";

/** Call `onFile` with each file that is chosen, or dropped anywhere on the page. */
export function acceptFiles(onFile, onSeveral) {
  const input = find("#file");
  find("#choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = ""; // the same file may be chosen again
    if (file) onFile(file);
  });

  const over = find("#over");
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over.hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over.hidden = true;
    const { files } = event.dataTransfer;
    if (files.length > 1) onSeveral(files.length);
    else if (files.length) onFile(files[0]);
  });
}
