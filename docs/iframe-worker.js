// The search of these pages runs in a worker, and browsers start none from file://. There, a frame
// without a size stands in for it.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      this.frame = frame;
      this.opened = new Promise((done) => (frame.onload = done));
      frame.hidden = true;
      frame.answer = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = document.createElement("script");
      script.src = address;
      const toParent = "<script>postMessage = (data) => frameElement.answer(data)</script>";
      frame.srcdoc = toParent + script.outerHTML;
      document.documentElement.append(frame);
    }

    async postMessage(data) {
      await this.opened;
      this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }
  };
}
