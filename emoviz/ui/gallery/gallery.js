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
  inside.onclick = () => press(number)
  item.append(inside)
  return item
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector("ul")
  const last = walls.get(parentElement)
  const forget = () => (walls.get(parentElement)?.made ?? []).forEach(URL.revokeObjectURL)
  if (!data || last?.data === data) return forget
  forget()
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength)
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)))
  const pictures = bytes.subarray(4 + length)
  const made = []
  const press = (number) => setTriggerValue("pressed", number)
  root.setAttribute("aria-label", header.label)
  root.style.setProperty("--side", `${header.side}px`)
  root.className = header.form
  root.replaceChildren(
    ...header.tiles.map((tile, number) => button(pictures, tile, number, press, made, header)),
  )
  walls.set(parentElement, { data, made })
  return forget
}
