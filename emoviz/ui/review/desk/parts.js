// Elements of the desk. Foreign text goes in as text; the only HTML is what Python escaped.
const make = (kind, name = "", text = "") => {
  const element = document.createElement(kind)
  if (name) element.className = name
  if (text) element.textContent = text
  return element
}

const STRENGTHS = { 1: "weak", 2: "plain", 3: "strong" }

function keyed(letter, words, act, name = "") {
  const button = make("button", name)
  button.type = "button"
  button.dataset.key = letter
  button.append(make("kbd", "", letter), make("span", "", words))
  button.onclick = (event) => {
    if (event.detail) event.currentTarget.blur() // of a pointer: else Enter would press it again
    act()
  }
  return button
}

// An emotion to choose; where the model's estimate is shown, its share is the bar inside.
function chip(emotion, strength, share, act) {
  const button = keyed(emotion.key, emotion.name, act, "chip")
  const dots = make("span", "dots", "●".repeat(strength) + "○".repeat(3 - strength))
  button.style.setProperty("--colour", emotion.colour)
  button.setAttribute("aria-pressed", String(strength > 0))
  const estimated = share === undefined ? "" : `, estimated ${Math.round(100 * share)} %`
  button.setAttribute(
    "aria-label",
    `${emotion.name}, ${strength ? STRENGTHS[strength] : "not chosen"}${estimated}`,
  )
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
    const image = url ? make("img") : make("span", "missing", "no picture")
    if (url) {
      image.src = url
      image.alt = ""
      button.onclick = () => look(url, tile.caption)
    }
    button.append(image, make("span", "caption", tile.caption))
    item.append(button)
    line.append(item)
  }
  section.append(make("h4", "", title))
  if (note) section.append(make("p", "quiet", note))
  section.append(line)
  return section
}

// The picture as large as the window; the pointer's place is what one looks at.
function zoomed(url, words, closed) {
  const dialog = make("dialog", "zoom")
  const image = make("img")
  image.src = url
  image.alt = words
  const wander = (event) => {
    if (!dialog.classList.contains("close")) return
    image.style.transformOrigin =
      `${(100 * event.clientX) / innerWidth}% ${(100 * event.clientY) / innerHeight}%`
  }
  image.onclick = (event) => {
    dialog.classList.toggle("close")
    wander(event)
  }
  image.onmousemove = wander
  const shut = keyed("Esc", "Close", () => dialog.close(), "shut")
  dialog.append(image, shut)
  dialog.onclick = (event) => event.target === dialog && dialog.close()
  dialog.onclose = () => {
    dialog.remove()
    closed()
  }
  return dialog
}
