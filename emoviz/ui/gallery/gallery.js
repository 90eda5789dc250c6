// A wall of pictures that are buttons. The data are one buffer:
// length of the header (uint32, little endian) | header (JSON) | all JPEGs, one after the other.
const walls = new WeakMap()

const address = (bytes, tile) =>
  URL.createObjectURL(new Blob([bytes.subarray(tile.from, tile.to)], { type: "image/jpeg" }))

function picture(bytes, tile, made, words, alt) {
  if (tile.to <= tile.from) {
    const empty = document.createElement("span")
    empty.className = "missing"
    empty.textContent = words
    return empty
  }
  const image = document.createElement("img")
  image.src = address(bytes, tile)
  image.alt = alt
  image.loading = "lazy"
  made.push(image.src)
  return image
}

function text(kind, words) {
  const line = document.createElement("span")
  line.className = kind
  line.textContent = words
  return line
}

function button(bytes, tile, number, press, made, { missing, form }) {
  const item = document.createElement("li")
  const inside = document.createElement("button")
  inside.type = "button"
  inside.title = [tile.caption, tile.detail].filter(Boolean).join("\n")
  const alone = form === "whole" && tile.to > tile.from // then the caption is what is read out
  inside.append(picture(bytes, tile, made, missing, alone ? tile.caption : ""))
  if (!alone) inside.append(text("caption", tile.caption))
  if (tile.detail) {
    const detail = text("detail", tile.detail)
    if (tile.colour) {
      const dot = document.createElement("i")
      dot.style.background = tile.colour
      detail.prepend(dot)
    }
    inside.append(detail)
  }
  inside.onclick = () => {
    homecoming.tile = inside
    homecoming.observe(document.body, { childList: true, subtree: true })
    press(number)
  }
  item.append(inside)
  return item
}

// The page gives the focus back to what it sees of a wall, which cannot take it: here it comes home
// to the picture, once a large view that its press opened is closed.
const homecoming = new MutationObserver(() => {
  const isOpen = document.querySelector("[role=dialog]") !== null
  if (homecoming.tile && homecoming.wasOpen && !isOpen) {
    const { tile } = homecoming
    homecoming.disconnect()
    setTimeout(() => document.activeElement === document.body && tile.focus(), 100)
  }
  homecoming.wasOpen = isOpen
})

const isSame = (one, other) =>
  one === other || (one.length === other.length && one.every((byte, place) => byte === other[place]))

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector("ul")
  const last = walls.get(parentElement)
  const forget = () => (walls.get(parentElement)?.made ?? []).forEach(URL.revokeObjectURL)
  if (!data) return forget
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength)
  if (last && isSame(last.bytes, bytes)) {
    last.send = setTriggerValue
    return forget // the pictures stay, and with them the focus
  }
  forget()
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  const pictures = bytes.subarray(4 + length)
  const made = []
  const press = (number) => walls.get(parentElement).send("pressed", number)
  root.setAttribute("aria-label", header.label)
  root.style.setProperty("--side", `${header.side}px`)
  root.className = header.form
  root.replaceChildren(
    ...header.tiles.map((tile, number) => button(pictures, tile, number, press, made, header)),
  )
  walls.set(parentElement, { bytes, made, send: setTriggerValue })
  return forget
}
