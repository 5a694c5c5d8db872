// The failure list: every row that needs a look, with its reason, and the rejected lines below.

const PART = 100;

/** A list of which a hundred entries are in the page at first, and a hundred more on demand. */
class LongList {
  #host;
  #more;
  #make;
  #entries = [];

  constructor(host, more, makeItem) {
    this.#host = host;
    this.#more = more;
    this.#make = makeItem;
    more.addEventListener("click", () => {
      const first = this.#host.children.length;
      this.#grow();
      this.#host.children[first]?.querySelector("button")?.focus();
    });
    new IntersectionObserver(
      (seen) => {
        if (seen.some((each) => each.isIntersecting)) this.#grow();
      },
      { rootMargin: "400px" },
    ).observe(more);
  }

  show(entries) {
    this.#entries = entries;
    this.#host.replaceChildren();
    this.#grow();
  }

  #grow() {
    const first = this.#host.children.length;
    const part = this.#entries.slice(first, first + PART);
    this.#host.append(...part.map((entry, i) => this.#make(entry, first + i)));
    this.#more.hidden = this.#host.children.length >= this.#entries.length;
  }
}

function failureItem(row, open) {
  const button = make("button", { type: "button", class: "key" }, row.key);
  button.addEventListener("click", open);
  return make(
    "li",
    {},
    make("div", { class: "head" }, button, badge(row.state), make("code", {}, row.reason)),
    row.error ? failureText(row, true) : null,
    make("p", { class: "prompt" }, shorten(row.prompt, 300)),
  );
}

/** The error's message and kind; `byReason`: the reason stands above it already. */
function failureText(row, byReason = false) {
  const { message, type, code, group } = row.error;
  const said = byReason ? row.reason : null;
  const kind = [type, code, group].filter((part) => part != null && part !== said).join(" · ");
  return make(
    "p",
    { class: "reason" },
    message ?? "No message.",
    kind ? make("span", { class: "error-kind" }, kind) : null,
  );
}

function rejectedItem(line) {
  const where = line.line == null ? "A line" : `Line ${line.line}`;
  const faults = line.faults.map((fault) =>
    make("p", { class: "reason" }, fault.field ? make("code", {}, fault.field) : null, ` ${fault.reason ?? ""}`),
  );
  const key = line.key == null ? null : make("span", {}, line.key);
  return make("li", {}, make("div", { class: "head" }, make("strong", {}, where), key), ...faults);
}
