// A table whose cells are buttons. Arrow keys walk from cell to cell, Enter presses.
const kept = new WeakMap()
// About how wide a sign and the room around a name are, in CSS pixels.
const SIGN = 7.4
const AROUND = 16

function make(kind, words, name) {
  const element = document.createElement(kind)
  if (words !== undefined) element.textContent = words
  if (name) element.className = name
  return element
}

function heading(data) {
  const group = make("tr")
  const corner = make("td")
  corner.colSpan = 1
  const over = make("th", data.columns, "over")
  over.colSpan = data.columnNames.length
  over.scope = "colgroup"
  group.append(corner, over)
  const row = make("tr")
  const first = make("th", data.rows, "over side")
  first.scope = "col"
  row.append(first)
  for (const name of data.columnNames) {
    const cell = make("th")
    cell.scope = "col"
    cell.style.width = `${100 / data.columnNames.length}%` // all columns alike
    cell.append(make("span", name))
    row.append(cell)
  }
  if (data.notes.length) {
    const note = make("th", data.noteTitle, "over note")
    note.scope = "col"
    group.append(make("td"))
    row.append(note)
  }
  const head = make("thead")
  head.append(group, row)
  return head
}

function button(cell, row, column, data, press) {
  const inside = make("button", cell.text)
  inside.type = "button"
  inside.title = cell.words
  inside.setAttribute("aria-label", cell.words)
  inside.dataset.place = `${row},${column}`
  inside.tabIndex = -1
  inside.style.setProperty("--tint", `${Math.round(65 * Math.min(1, Math.abs(cell.tint)))}%`)
  if (cell.tint) inside.classList.add(cell.tint > 0 ? "good" : "bad")
  if (!cell.opens) inside.setAttribute("aria-disabled", "true")
  const chosen = data.chosen && data.chosen[0] === row && data.chosen[1] === column
  inside.setAttribute("aria-pressed", chosen || cell.down ? "true" : "false")
  inside.classList.toggle("chosen", Boolean(chosen))
  inside.onclick = () => cell.opens && press([row, column])
  return inside
}

function walk(event, root, rows, columns) {
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
  const move = moves[event.key]
  const place = event.target.dataset?.place
  if (!move || !place) return
  const [row, column] = place.split(",").map(Number)
  const within = (value, size) => Math.min(size - 1, Math.max(0, value))
  const to = [within(row + move[0], rows), within(column + move[1], columns)]
  event.preventDefault()
  focusOn(root, to.join(","), true)
}

function focusOn(root, place, really) {
  for (const other of root.querySelectorAll("button[tabindex='0']")) other.tabIndex = -1
  const found = root.querySelector(`button[data-place="${place}"]`)
  if (!found) return
  found.tabIndex = 0
  if (really) found.focus()
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector("section")
  const last = kept.get(parentElement)
  const text = JSON.stringify(data)
  if (last?.text !== text) {
    const active = root.getRootNode().activeElement?.dataset?.place
    const press = (place) => setTriggerValue("pressed", place)
    const table = make("table")
    table.setAttribute("aria-label", data.label)
    const body = make("tbody")
    data.cells.forEach((cells, row) => {
      const line = make("tr")
      const name = make("th", data.names[row])
      name.scope = "row"
      line.append(name)
      cells.forEach((cell, column) => {
        const place = make("td", undefined, data.square && row === column ? "same" : "")
        place.append(button(cell, row, column, data, press))
        line.append(place)
      })
      if (data.notes.length) line.append(make("td", data.notes[row], "note"))
      body.append(line)
    })
    table.append(heading(data), body)
    table.onkeydown = (event) => walk(event, root, data.names.length, data.columnNames.length)
    root.replaceChildren(table)
    focusOn(root, active ?? data.chosen?.join(",") ?? "0,0", Boolean(active))
    kept.set(parentElement, { text })
  }
  // Names stand upright where the longest has no room beside the others.
  const longest = SIGN * Math.max(...data.columnNames.map(name => name.length)) + AROUND
  const fit = () =>
    root.classList.toggle("upright", root.clientWidth < longest * (data.columnNames.length + 1.5))
  const watch = new ResizeObserver(fit)
  watch.observe(root)
  fit()
  return () => watch.disconnect()
}
