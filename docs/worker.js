// Pages that are opened from the disk may not start workers, and the search is one: it runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      this.inside = inside;
      inside.postMessage = (data) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        if (this.onmessage) this.onmessage(event);
      };
      inside.importScripts = async (...scripts) => {
        for (const one of scripts) await this.load(one);
      };
      this.load(address).then(() => {
        const waiting = this.waiting;
        this.waiting = null;
        for (const data of waiting) this.deliver(data);
      });
    }
    load(address) {
      return new Promise((done, failed) => {
        const script = this.inside.document.createElement("script");
        script.src = String(address);
        script.onload = done;
        script.onerror = failed;
        this.inside.document.head.append(script);
      });
    }
    deliver(data) {
      const event = new this.inside.MessageEvent("message", { data });
      this.inside.dispatchEvent(event);
    }
    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.deliver(data);
    }
    terminate() {
      this.inside.frameElement.remove();
    }
  };
}
