// Which key does what: the desk's own choice, until a person sets others in this browser.
const KEYS_KEPT = "emoviz-keys"
const OWN_KEYS = {
  agree: ["a", marked("Agree with the model")],
  save: ["enter", marked("Save, next artwork")],
  none: ["n", marked("None of these")],
  skip: ["s", marked("Skip")],
  note: ["m", marked("Write a note")],
  undo: ["u", marked("Undo")],
  previous: ["arrowleft", marked("Previous artwork")],
  next: ["arrowright", marked("Next artwork")],
  heat: ["h", marked("Heat map")],
  near: ["l", marked("Works that are alike")],
  why: ["w", marked("Why?")],
  zoom: ["z", marked("Look closer")],
}
const KEY_WORDS = { enter: marked("Enter"), arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓", " ": marked("Space") }
const NEVER = new Set(["tab", "escape", "shift", "control", "alt", "meta", "r", "c"]) // r, c: Streamlit's

const keyWords = (key) => (key in KEY_WORDS ? tr(KEY_WORDS[key]) : (key ?? "").toUpperCase())

class Keys {
  constructor() {
    this.set = {}
    this.oneKey = false
    try {
      const kept = JSON.parse(localStorage.getItem(KEYS_KEPT) ?? "{}")
      if (kept.set && typeof kept.set === "object") this.set = kept.set
      this.oneKey = kept.oneKey === true
    } catch {
      // nothing kept, or by somebody else
    }
  }

  // The key of an act, or of an emotion with its place in the list.
  of(name, emotion) {
    const own = this.set[name]
    return typeof own === "string" ? own : emotion ? emotion.key.toLowerCase() : OWN_KEYS[name][0]
  }

  names(emotions) {
    const acts = Object.entries(OWN_KEYS).map(([name, [, words]]) => ({ name, words: tr(words) }))
    const felt = emotions.map((emotion) => ({ name: `emotion ${emotion.name}`, words: emotion.label, emotion }))
    return [...felt, ...acts]
  }

  isAct(key, emotions) {
    return this.names(emotions).some(({ name, emotion }) => this.of(name, emotion) === key)
  }

  // Two acts never share a key: they change places.
  change(name, key, emotions) {
    const rows = this.names(emotions)
    const mine = rows.find((row) => row.name === name)
    const other = rows.find((row) => row.name !== name && this.of(row.name, row.emotion) === key)
    const before = this.of(name, mine.emotion)
    this.set[name] = key
    if (other) this.set[other.name] = before
    this.keep()
    if (!other) return ""
    const values = { key: keyWords(key), act: other.words, other: keyWords(before) }
    return before
      ? tr("{key} was “{act}”, which now has {other}.", values)
      : tr("{key} was “{act}”, which now has no key.", values)
  }

  reset() {
    this.set = {}
    this.keep()
  }

  keep() {
    try {
      localStorage.setItem(KEYS_KEPT, JSON.stringify({ set: this.set, oneKey: this.oneKey }))
    } catch {
      // a browser that keeps nothing: they hold until the page is left
    }
  }
}

// A dialog in which each act shows its key; press another to change it.
function keysDialog(keys, emotions, changed) {
  const dialog = make("dialog", "keys")
  dialog.setAttribute("aria-labelledby", "ev-keys-title")
  const title = make("h2", "", tr("Keys"))
  title.id = "ev-keys-title"
  const told = make("p", "quiet")
  told.setAttribute("role", "status")
  const list = make("div", "keylist")
  const draw = () =>
    list.replaceChildren(
      ...keys.names(emotions).map(({ name, words, emotion }) => {
        const label = make("label", "", words)
        const field = make("input")
        field.value = keyWords(keys.of(name, emotion))
        field.readOnly = true
        field.dataset.name = name
        field.setAttribute("aria-label", tr("Key for {act}: press another to change it", { act: words }))
        field.onkeydown = (event) => {
          const key = event.key.toLowerCase()
          if (key === "tab" || key === "escape") return
          event.preventDefault()
          event.stopPropagation()
          if (NEVER.has(key) || key.length > 10) {
            told.textContent = tr("{key} cannot be taken.", { key: keyWords(key) })
            return
          }
          told.textContent = keys.change(name, key, emotions)
          draw()
          list.querySelector(`[data-name="${CSS.escape(name)}"]`)?.focus()
          changed()
        }
        label.append(field)
        return label
      }),
    )
  const one = make("label", "switch")
  const box = make("input")
  box.type = "checkbox"
  box.checked = keys.oneKey
  box.onchange = () => {
    keys.oneKey = box.checked
    keys.keep()
    changed()
  }
  one.append(box, make("span", "", tr("One key: an emotion's key decides and goes on")))
  const reset = make("button", "", tr("Keys as they were"))
  reset.type = "button"
  reset.onclick = () => {
    keys.reset()
    told.textContent = ""
    draw()
    changed()
  }
  const shut = keyed(tr("Esc"), tr("Close"), () => dialog.close())
  const row = make("div", "acts")
  row.append(reset, shut)
  draw()
  dialog.append(title, make("p", "quiet", tr("Go to a field and press the key that you want there.")), one, list, told, row)
  dialog.onclose = () => dialog.remove()
  return dialog
}
