// The large view: a picture with all that is known of its row. The dialog keeps the keyboard inside.

class Viewer {
  #dialog = byId("viewer");
  #cards = [];
  #index = 0;
  #closed = () => {};

  constructor() {
    byId("previous").addEventListener("click", () => this.#go(this.#index - 1));
    byId("next").addEventListener("click", () => this.#go(this.#index + 1));
    byId("close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
    this.#dialog.addEventListener("close", () => {
      byId("stage").replaceChildren();
      this.#closed(this.#index);
    });
    this.#dialog.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Open one of the cards; `closed` is told which one was looked at last. */
  open(cards, index, closed) {
    this.#cards = cards;
    this.#closed = closed;
    this.#go(index);
    this.#dialog.showModal();
    byId("next").focus();
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const to = {
      ArrowLeft: this.#index - 1,
      ArrowRight: this.#index + 1,
      Home: 0,
      End: this.#cards.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#go(to);
  }

  #go(index) {
    if (index < 0 || index >= this.#cards.length) return;
    this.#index = index;
    const { row, picture } = this.#cards[index];
    byId("stage").replaceChildren(large(row, picture));
    byId("viewer-title").textContent = `Row ${row.key}`;
    byId("position").textContent = `${count(index + 1)} of ${count(this.#cards.length)}`;
    // Not `disabled`: the keyboard would fall off a button that becomes so.
    byId("previous").setAttribute("aria-disabled", index === 0);
    byId("next").setAttribute("aria-disabled", index === this.#cards.length - 1);
    byId("details").replaceChildren(...details(row, picture));
    this.#dialog.querySelector(".about").scrollTop = 0;
  }
}

function large(row, picture) {
  if (!picture?.address) return frame(row, picture);
  const image = make("img", { alt: shorten(row.prompt, 200) || `Picture of row ${row.key}` });
  image.addEventListener("error", () => image.replaceWith(placeholder("bad", "Cannot be shown", picture.file)));
  image.src = picture.address;
  return image;
}

function details(row, picture) {
  const parts = [badge(row.state), make("span", { class: "hint-text" }, stateHint(row.state))];
  if (row.error) parts.push(failureText(row));
  if (picture?.fault) parts.push(make("p", { class: "reason" }, faultName[picture.fault]));
  parts.push(make("p", { class: "full-prompt" }, row.prompt));
  parts.push(facts("Parameters", Object.entries(row.parameters ?? {})));
  parts.push(facts("Task", taskFacts(row)));
  if (picture) parts.push(facts("File", fileFacts(picture)));
  if (row.urls) parts.push(facts("Result", row.urls.map((url) => ["URL", url])));
  return parts.filter((part) => part != null);
}

function facts(title, pairs) {
  const known = pairs.filter(([, value]) => value != null && value !== "");
  if (known.length === 0) return null;
  const list = make("dl", {});
  for (const [name, value] of known) {
    list.append(make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  }
  return make("section", { class: "facts" }, make("h3", {}, title), list);
}

function taskFacts(row) {
  return [
    ["Task id", row.task],
    ["Attempt", row.attempt == null ? null : String(row.attempt)],
    ["Sent", moment(row.sent)],
    ["Created", moment(row.created)],
    ["Completed", moment(row.completed)],
    ["Service time", row.service == null ? null : `${row.service.toFixed(1)} s`],
    ["Recorded", moment(row.recorded)],
  ];
}

function fileFacts(picture) {
  const file = picture.address
    ? make("a", { href: picture.address, target: "_blank", rel: "noopener" }, picture.file)
    : picture.file;
  return [
    ["File", file],
    ["Pixels", picture.width && picture.height ? `${picture.width} × ${picture.height}` : null],
    ["Size", picture.bytes == null ? null : size(picture.bytes)],
    ["SHA-256", picture.sha256],
  ];
}

function size(bytes) {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** A recorded time on the reader's own clock; what is no time is shown as it stands. */
function moment(recorded) {
  if (recorded == null) return null;
  const time = new Date(recorded);
  if (Number.isNaN(time.getTime())) return recorded;
  const two = (value) => String(value).padStart(2, "0");
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return make("time", { datetime: time.toISOString() }, `${day} ${clock}`);
}
