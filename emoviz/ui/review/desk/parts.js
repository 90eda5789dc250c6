// Elements of the desk. Foreign text goes in as text; the only HTML is what Python escaped.
const make = (kind, name = "", text = "") => {
  const element = document.createElement(kind)
  if (name) element.className = name
  if (text) element.textContent = text
  return element
}

// Words of the session's language, which the server sends; English is the text itself.
let spokenLanguage = "en"
let wordsOf = {}

function speak(language, messages) {
  spokenLanguage = language
  wordsOf = messages ?? {}
}

const tr = (text, values = {}) =>
  (wordsOf[text] || text).replace(/{(\w+)}/g, (whole, name) => (name in values ? values[name] : whole))

// For tables of words, which `tr` reads later.
const marked = (text) => text

const listed = (words) => new Intl.ListFormat(spokenLanguage === "en" ? "en-GB" : spokenLanguage).format(words)

const counted = (count) => count.toLocaleString(spokenLanguage === "en" ? "en-GB" : spokenLanguage)

const STRENGTHS = { 1: marked("weak"), 2: marked("plain"), 3: marked("strong") }

// After the browser has painted twice; in a window that is not in sight it never paints.
const painted = () =>
  new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done))
    setTimeout(done, 200)
  })

// A decision in words, as it will be told once it is stored.
function spoken({ kind, feelings, note }, work, label) {
  const felt = ([name, strength]) => {
    const emotion = label(name)
    if (strength === 1) return tr("a little {emotion}", { emotion })
    return strength === 3 ? tr("strongly {emotion}", { emotion }) : emotion
  }
  const whole = { none: tr("none of these"), skip: tr("skipped"), agree: label(work.agree) }
  const decision = whole[kind] ?? listed(feelings.map(felt))
  const noted = note ? tr("{decision} (with a note)", { decision }) : decision
  return `${work.title}, ${noted}`
}

function keyed(letter, words, act, name = "", pressed = null) {
  const button = make("button", name)
  button.type = "button"
  button.dataset.name = letter || words
  if (letter) {
    const sign = make("kbd", "", letter === tr("Enter") ? "↵" : letter)
    sign.setAttribute("aria-hidden", "true")
    button.setAttribute("aria-keyshortcuts", letter)
    button.append(sign)
  }
  if (pressed !== null) button.setAttribute("aria-pressed", String(pressed))
  button.append(make("span", "", words))
  button.onclick = act
  return button
}

// An emotion to choose; where the model's estimate is shown, its share is the bar inside.
function chip(emotion, strength, share, act) {
  const button = keyed(emotion.key, emotion.label, act, "chip")
  const dots = make("span", "dots", "●".repeat(strength) + "○".repeat(3 - strength))
  button.style.setProperty("--colour", emotion.colour)
  button.setAttribute("aria-pressed", String(strength > 0))
  button.title = emotion.label
  const chosen = strength ? tr(STRENGTHS[strength]) : tr("not chosen")
  const said = [emotion.label, chosen]
  if (share !== undefined) said.push(tr("estimated {share} %", { share: Math.round(100 * share) }))
  button.setAttribute("aria-label", said.join(", "))
  if (strength) button.append(dots)
  if (share !== undefined) {
    const track = make("span", "track")
    const fill = make("i")
    fill.style.width = `${100 * share}%`
    track.append(fill)
    const rounded = Math.round(100 * share)
    button.append(track, make("span", "share", `${share > 0 && !rounded ? "<1" : rounded} %`))
  }
  return button
}

function facts(rows) {
  const list = make("dl")
  for (const [name, value] of rows) list.append(make("dt", "", name), make("dd", "", value))
  return list
}

function strip(title, note, tiles, picture, look) {
  const section = make("section", "near")
  const line = make("ul")
  for (const tile of tiles) {
    const item = make("li")
    const button = make("button")
    button.type = "button"
    button.title = tile.caption
    const url = picture(tile.picture)
    const image = url ? make("img") : make("span", "missing", tr("no picture"))
    if (url) {
      image.src = url
      image.alt = ""
      button.onclick = () => look(url, tile.caption)
    }
    button.append(image, make("span", "caption", tile.caption))
    item.append(button)
    line.append(item)
  }
  section.append(make("h3", "", title))
  if (note) section.append(make("p", "quiet", note))
  section.append(line)
  return section
}

// The picture as large as the window, to go into; `better` brings more pixels once they are there.
function zoomed(url, words, closed) {
  const dialog = make("dialog", "zoom")
  const place = make("div", "deep")
  const told = make("p", "pixels")
  told.setAttribute("role", "status")
  dialog.setAttribute("aria-label", tr("{title}, in large: wheel, +, - and arrows", { title: words }))
  const shut = keyed(tr("Esc"), tr("Close"), () => dialog.close(), "shut")
  dialog.append(place, told, shut)
  let deep = null
  dialog.onclose = () => {
    deep?.close()
    dialog.remove()
    closed()
  }
  const show = () => {
    dialog.showModal()
    deep = DeepZoom.open(place, url)
    place.querySelector(".openseadragon-canvas")?.focus()
  }
  const better = (large, pixels) => {
    if (!deep || dialog.dataset.deep) return
    dialog.dataset.deep = "yes"
    deep.replace(large)
    told.textContent = pixels
  }
  return { dialog, show, better }
}

// The works around the one on the screen, each with what was decided, as a row of small pictures.
function filmstrip(go, step, jump) {
  const element = make("nav", "film")
  element.setAttribute("aria-label", tr("Artworks of this queue"))
  const arrow = (words, sign, by) => {
    const button = make("button", "arrow", sign)
    button.type = "button"
    button.title = words
    button.setAttribute("aria-label", words)
    button.onclick = () => step(by)
    return button
  }
  const back = arrow(tr("Previous artwork"), "‹", -1)
  const on = arrow(tr("Next artwork"), "›", 1)
  const list = make("ol")
  const label = make("label", "number", tr("No."))
  const field = make("input")
  field.type = "number"
  field.min = 1
  field.setAttribute("aria-label", tr("Go to the artwork with this number"))
  field.onkeydown = (event) => {
    event.stopPropagation()
    if (event.key === "Enter" && field.value) {
      jump(Number(field.value))
      field.value = ""
      field.blur()
    }
    if (event.key === "Escape") field.blur()
  }
  label.append(field)
  element.append(back, list, on, label)
  let drawn = ""
  const draw = ({ strip: frames, emotions }, current, pending, pictures) => {
    const place = frames.findIndex(({ id }) => id === current)
    back.disabled = place < 1
    on.disabled = place < 0 || place === frames.length - 1
    if (document.activeElement !== field) field.placeholder = frames[place]?.number ?? ""
    const colours = new Map(emotions.map(({ name, colour }) => [name, colour]))
    const rows = frames.map((frame) => {
      const act = pending.get(frame.id)
      return {
        ...frame,
        url: pictures.get(frame.small),
        here: frame.id === current,
        own: act ? tr("{decision}, waiting", { decision: act.words.slice(frame.title.length + 2) }) : frame.own,
        emotions: act ? act.feelings.map(([name]) => name) : frame.emotions,
        waits: Boolean(act),
      }
    })
    const sign = JSON.stringify(rows)
    if (sign === drawn) return
    drawn = sign
    list.replaceChildren(...rows.map((row) => frameOf(row, colours, go)))
    const here = list.children[place]
    if (here) list.scrollLeft = here.offsetLeft - list.clientWidth / 2 + here.clientWidth / 2
  }
  return { element, draw }
}

function frameOf(frame, colours, go) {
  const item = make("li")
  const button = make("button", frame.waits ? "frame waits" : "frame")
  button.type = "button"
  button.dataset.name = `frame ${frame.id}`
  button.title = [`${frame.number}: ${frame.title}`, frame.own].filter(Boolean).join("\n")
  button.setAttribute(
    "aria-label",
    `${frame.number}: ${frame.title}, ${frame.own || tr("not decided")}`,
  )
  if (frame.here) button.setAttribute("aria-current", "true")
  if (frame.url) {
    const image = make("img")
    image.src = frame.url
    image.alt = ""
    button.append(image)
  } else button.append(make("span", "missing", String(frame.number)))
  if (frame.own) {
    const marks = make("span", "marks", frame.emotions.length ? "" : "–")
    for (const name of frame.emotions.slice(0, 4)) {
      const dot = make("i")
      dot.style.background = colours.get(name) ?? "currentColor"
      marks.append(dot)
    }
    button.append(marks)
  }
  button.onclick = () => go(frame)
  item.append(button)
  return item
}
