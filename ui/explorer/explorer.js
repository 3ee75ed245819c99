// The grids of a small layer. Python sends numbers, words, and links: which output, padded pixel and kernel cell meet
// along each axis. A cell is { kind, channel, at: [row, column] }, in padded pixels for the input.

const NOTHING = -2 // where a window hangs over; -1 is padding
const LARGEST_CELL = 44
const HIGHEST_SHEET = 720
const TITLE_HEIGHT = 48
const NARROWEST = 88
const GAP = 20
const REST = 500 // milliseconds
const MOST_LISTED = 12
const MOST_PARTS = 1000
const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8]
const WAYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }

export default function ({ data, parentElement, setStateValue }) {
	const root = parentElement.querySelector('.explorer')
	const explorer = (root.explorer ??= new Explorer(root))
	explorer.send = setStateValue
	try {
		explorer.receive(data)
	} catch (error) {
		console.error(error)
		root.textContent = data.words.broken
	}
	return () => explorer.close()
}

class Explorer {
	constructor(root) {
		this.root = root
		this.parts = {}
		for (const part of root.querySelectorAll('[id]')) this.parts[part.id] = part
		this.counts = { edit: 0, pin: 0 }
		this.pin = this.hover = this.step = null
		this.listen()
		this.sizes = new ResizeObserver(() => root.clientWidth !== this.width && this.redraw())
		this.sizes.observe(root)
	}

	close() {
		this.settle()
		this.pause()
		this.sizes.disconnect()
	}

	receive(data) {
		const { axes, counts } = data
		const { total } = this
		const isNew = this.data?.shown !== data.shown
		if (isNew || (!this.rest && counts.edit >= this.counts.edit)) {
			this.numbers = { input: data.x, kernel: data.weight }
			this.counts.edit = Math.max(this.counts.edit, counts.edit)
			this.rest = clearTimeout(this.rest)
		}
		if (counts.pin >= this.counts.pin) [this.pin, this.counts.pin] = [data.pin, counts.pin]
		Object.assign(this, { data, axes, isPooling: !data.weight, isTransposed: data.mode === 'transposed' })
		this.before = axes.map((axis) => axis.before)
		this.inSize = axes.map((axis) => axis.input_size)
		this.outSize = axes.map((axis) => axis.output_size)
		this.stepSize = this.isTransposed ? this.inSize : this.outSize
		this.total = this.parts.step.max = area(this.stepSize)
		if (isNew || total !== this.total) this.playing = this.step = null
		const background = getComputedStyle(this.root).getPropertyValue('--st-background-color')
		Object.assign(this, data.themes[background] ?? Object.values(data.themes)[0])
		this.root.style.cssText = this.style
		this.build()
		this.compute()
		this.redraw()
	}

	build() {
		const lines = structuredClone(this.data.lines)
		const plan = JSON.stringify(lines)
		if (plan === this.plan) return
		this.plan = plan
		this.pin = this.data.pin // one of the old grids may not fit
		this.hover = null
		this.grids = lines.flat()
		const drawn = lines.map((grids) => {
			const line = this.parts.pieces.content.firstElementChild.cloneNode()
			line.append(...grids.map((grid) => this.buildGrid(grid)))
			return line
		})
		this.parts.sheet.replaceChildren(...drawn)
		this.parts.kernel.hidden = this.isPooling
	}

	buildGrid(grid) {
		const box = this.parts.pieces.content.children[1].cloneNode(true)
		const [name, note] = box.firstElementChild.children
		const [base, over] = box.lastElementChild.children
		box.className = grid.kind
		name.textContent = grid.name
		note.textContent = grid.note
		over.grid = grid
		Object.assign(grid, { box, base, over, cursor: grid.kind === 'input' ? this.before : [0, 0] })
		return box
	}

	// Arithmetic

	padded(channel, p, q) {
		const [row, column] = [this.axes[0].source[p], this.axes[1].source[q]]
		if (row === NOTHING || column === NOTHING) return undefined
		return row < 0 || column < 0 ? this.data.filling : this.numbers.input[channel][row][column]
	}

	/** List the products where links of both axes meet; in pooling, w is the share of the gradient. */
	terms(channel, [down, across]) {
		const terms = []
		const upto = this.isTransposed ? (this.step ?? Infinity) : Infinity
		for (const [i, p, u] of down)
			for (const [j, q, v] of across) {
				const n = this.padded(channel, p, q)
				if (n === null || p * this.stepSize[1] + q >= upto) continue
				const w = this.isPooling ? this.shares?.[channel][i][j](p, q) : this.numbers.kernel[channel][u][v]
				terms.push({ channel, i, j, p, q, n, w, product: n * w })
			}
		return terms
	}

	/** List what meets at a cell; a pixel and its copies are one. */
	meeting({ kind, at }) {
		const place = { kernel: 2, input: 1 }[kind] ?? 0
		return this.axes.map(({ links, source }, axis) => {
			const shown = place === 1 ? source[at[axis]] : -1
			return links.filter((link) => link[place] === at[axis] || (shown >= 0 && source[link[1]] === shown))
		})
	}

	termsAt(cell) {
		const channels = !this.isPooling && cell.kind === 'output' ? this.data.x.keys() : [cell.channel]
		return [...channels].flatMap((channel) => this.terms(channel, this.meeting(cell)))
	}

	compute() {
		const { x, mode, bias } = this.data
		const [down, across] = this.axes.map(({ links, output_size }) =>
			Array.from({ length: output_size }, (_, output) => links.filter((link) => link[0] === output)),
		)
		const planes = (make) => x.map((_, c) => down.map((d) => across.map((a) => make(this.terms(c, [d, a])))))
		if (!this.isPooling) {
			this.partial = planes((terms) => add(terms.map((t) => t.product)))
			const sum = (i, j) => add(this.partial.map((plane) => plane[i][j])) + bias
			this.output = [down.map((_, i) => across.map((_, j) => sum(i, j)))]
			return
		}
		const isAverage = mode === 'average'
		const values = (terms) => terms.map((t) => t.n)
		const most = (terms) => Math[mode](...values(terms))
		this.shares = null
		this.output = planes((terms) => (isAverage ? add(values(terms)) / terms.length : most(terms)))
		this.shares = planes((terms) => {
			const winner = isAverage || terms[values(terms).indexOf(most(terms))]
			return (p, q) => (isAverage ? 1 / terms.length : Number(winner.p === p && winner.q === q))
		})
		const weights = (cell) => this.termsAt(cell).map((t) => t.w)
		const gradient = (channel, at) => add(weights(this.meant({ kind: 'gradient', channel }, at)))
		this.gradient = x.map((plane, c) => plane.map((line, i) => line.map((_, j) => gradient(c, [i, j]))))
	}

	value({ kind, channel }, [row, column]) {
		if (kind === 'input') return this.padded(channel, row, column)
		const isToCome = this.step !== null && !this.isTransposed && row * this.outSize[1] + column >= this.step
		if (isToCome && isMade(kind)) return undefined
		const { partial, output, gradient, numbers, data } = this
		const planes = { partial, output, gradient, kernel: numbers.kernel, server: data.server }
		return planes[kind][channel][row][column]
	}

	/** Move a place of the input from padded pixels to its own, or back. */
	moved(kind, at, sign) {
		return at.map((place, axis) => place + (kind === 'input' ? sign * this.before[axis] : 0))
	}

	isPadding(at) {
		return this.moved('input', at, -1).some((place, axis) => place < 0 || place >= this.inSize[axis])
	}

	// Drawing

	redraw() {
		this.width = this.root.clientWidth
		if (!this.width || !this.data) return
		const { server, counts, grey } = this.data
		const [inRow, wrapped] = [this.fit(false), this.fit(true)]
		this.cell = inRow > 0.6 * wrapped ? inRow : wrapped
		this.font = getComputedStyle(this.root).fontFamily
		const lines = (this.termsAt(this.data.first).length * 110) / this.width + this.data.x.length
		this.parts.words.style.height = `${Math.min(5.5 + 1.5 * lines, 24)}em`
		this.limits = {}
		this.hatches = [false, true].map((isLeft) => hatch(this.palette.muted, isLeft))
		this.grids.forEach((grid) => this.measure(grid))
		this.grids.forEach((grid) => this.draw(grid))
		const ends = Object.entries(this.limits).map(([kind, limit]) => `${kind} ${show(limit, 2)}`)
		this.parts.scale.textContent = this.tell(['scale', grey && 'grey'], { ends: ends.join(', '), grey })
		const isLate = this.rest || counts.edit < this.counts.edit
		const outputs = this.output.flat(2)
		const far = Math.max(0, ...(server?.flat(2).map((n, index) => n === null ? 0 : Math.abs(n - outputs[index])) ?? []))
		this.parts.server.hidden = !server || isLate
		this.parts.server.textContent = this.tell(['compared'], { far: far < 1e-9 ? 0 : far })
		this.showStep()
		this.point()
	}

	/** Find the largest cell with which all grids fit. */
	fit(mayWrap) {
		for (let cell = LARGEST_CELL; cell > 4; cell--) {
			let [height, fits] = [0, true]
			for (const line of this.data.lines) {
				let [x, highest] = [0, 0]
				for (const { size } of line) {
					const width = Math.max(size[1] * cell + 2, NARROWEST)
					if (mayWrap && x + width > this.width) [height, x, highest] = [height + highest, 0, 0]
					fits &&= x + width <= this.width
					x += width + GAP
					highest = Math.max(highest, size[0] * cell + TITLE_HEIGHT)
				}
				height += highest
			}
			if (fits && height <= HIGHEST_SHEET * this.data.lines.length ** 0.5) return cell
		}
		return 4
	}

	measure(grid) {
		const ratio = devicePixelRatio
		const [height, width] = grid.size.map((size) => size * this.cell + 2)
		for (const canvas of [grid.base, grid.over]) {
			Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) })
			Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` })
			canvas.getContext('2d').setTransform(ratio, 0, 0, ratio, ratio, ratio)
		}
		grid.box.style.width = `${Math.max(width, NARROWEST)}px`
		const numbers = cellsOf(grid.size).map((at) => this.value(grid, at)).filter(Number.isFinite)
		grid.digits = [0, 1].find((digits) => numbers.every((number) => isWhole(number * 10 ** digits))) ?? 2
		if (grid.grey) return
		this.limits[grid.scale] = Math.max(this.limits[grid.scale] ?? 0, ...numbers.map(Math.abs))
	}

	draw(grid) {
		const { cell, axes, palette, ramp } = this
		const { grey } = grid
		const isInput = grid.kind === 'input'
		const limit = this.limits[grid.scale] || 1
		const context = grid.base.getContext('2d')
		const box = ([row, column], [rows, columns] = [1, 1]) => [column * cell, row * cell, columns * cell, rows * cell]
		const texts = []
		context.clearRect(-1, -1, grid.over.width, grid.over.height)
		for (const at of cellsOf(grid.size)) {
			const value = this.value(grid, at)
			const isPadding = isInput && this.isPadding(at)
			const isLeft = isInput && axes.some(({ left }, axis) => left.includes(at[axis]))
			const isPlain = isPadding || isLeft || value === undefined
			const share = isPlain ? 0 : Math.min(Math.max(value / (grey || limit), -1), 1)
			const white = Math.round(255 * Math.max(share, 0))
			const colour = grey ? `rgb(${white},${white},${white})` : ramp[Math.round((share + 1) * 64)]
			const fillStyle = isLeft ? palette.line : isPlain ? palette.background : colour
			Object.assign(context, { fillStyle, lineWidth: 0.5, strokeStyle: palette.line })
			context.fillRect(...box(at))
			if (cell > 6) context.strokeRect(...box(at))
			if (value === undefined) continue
			context.fillStyle = this.hatches[Number(isLeft)]
			if (isLeft || isPadding) context.fillRect(...box(at))
			const isStrong = !isPlain && (grey ? white < 128 : Math.abs(share) > palette.strong_from)
			const [light, dark] = grey && !isPlain ? ['#fff', '#000'] : [palette.on_strong, palette.text]
			const text = Number.isFinite(value) ? fixed(value, grid.digits) : this.data.mode === 'max' ? '−∞' : '∞'
			texts.push([text, at, isStrong ? light : dark])
		}
		Object.assign(context, { lineWidth: 1.5, strokeStyle: palette.text })
		context.strokeRect(...(isInput ? box(this.before, this.inSize) : box([0, 0], grid.size)))
		const size = Math.min(16, cell * 0.44, (cell * 1.6) / Math.max(...texts.map(([text]) => text.length), 1))
		if (size < 5.5) return
		Object.assign(context, { font: `${size}px ${this.font}`, textAlign: 'center', textBaseline: 'middle' })
		context.globalAlpha = Math.min(1, (size - 4.5) / 3)
		for (const [text, [row, column], colour] of texts) {
			context.fillStyle = colour
			context.fillText(text, (column + 0.5) * cell, (row + 0.48) * cell)
		}
		context.globalAlpha = 1
	}

	// Pointing

	selection() {
		const index = Math.max((this.step ?? 1) - 1, 0)
		const at = [Math.floor(index / this.stepSize[1]), index % this.stepSize[1]]
		const stepped = this.step === null ? this.data.first : { kind: this.isTransposed ? 'input' : 'output', channel: 0, at }
		return (!this.playing && (this.pin || this.hover)) || stepped
	}

	point() {
		const cell = this.selection()
		const links = this.meeting(cell)
		const terms = this.termsAt(cell)
		const reached = [0, 1, 2].map((place) => links.map((along) => distinct(along.map((link) => link[place]))))
		const [reading, lines] = this.say(cell, terms, reached)
		for (const grid of this.grids) {
			const place = { input: 1, kernel: 2, gradient: 3 }[grid.kind] ?? 0
			const isSum = !this.isPooling && (cell.kind === 'output' || grid.kind === 'output' || grid.kind === 'server')
			const isChosen = this.meant(grid, [0, 0]).kind === cell.kind && grid.channel === cell.channel
			const chosen = grid.kind === 'gradient' ? this.moved('input', cell.at, -1) : cell.at
			const isMeant = !isChosen && (isSum || grid.channel === cell.channel)
			const marked = isMeant && reached[place]?.[0].length && reached[place][1].length ? reached[place] : null
			const isNumbered = marked && place === Number(isMade(cell.kind))
			const numbered = isNumbered ? terms.filter((t) => !place || t.channel === grid.channel) : []
			this.mark(grid, marked, isChosen && chosen, numbered, cell.kind)
			if (this.playing) continue
			const [rows, columns] = marked ? spans(marked, place === 1 ? this.before : [0, 0]) : []
			const words = isChosen ? reading : marked ? this.tell(['marked'], { rows, columns }) : ''
			grid.over.ariaLabel = `${grid.name}, ${grid.note}. ${words}`
		}
		this.parts.reading.textContent = reading
		this.parts.sum.textContent = lines.join('\n')
		this.parts.release.hidden = !this.pin
	}

	mark(grid, marked, chosen, terms, from) {
		const { cell } = this
		const { accent, background } = this.palette
		const context = grid.over.getContext('2d')
		const frame = ([row, column], rows, columns) => {
			for (const [lineWidth, strokeStyle] of [[5, background], [3, accent]]) {
				Object.assign(context, { lineWidth, strokeStyle })
				context.strokeRect(column * cell, row * cell, columns * cell, rows * cell)
			}
		}
		context.clearRect(-1, -1, grid.over.width, grid.over.height)
		if (marked) {
			const [rows, columns] = marked
			const width = (places) => places.at(-1) - places[0] + 1
			const isDense = marked.every((places) => places.length === width(places))
			Object.assign(context, { globalAlpha: cell < 14 ? 0.4 : 1, fillStyle: accent, strokeStyle: accent, lineWidth: 1.5 })
			for (const row of rows)
				for (const column of columns)
					if (cell >= 14) context.strokeRect(column * cell + 2, row * cell + 2, cell - 4, cell - 4)
					else if (!isDense) context.fillRect(column * cell, row * cell, cell, cell)
			context.globalAlpha = 1
			if (isDense || from !== 'kernel') frame([rows[0], columns[0]], width(rows), width(columns))
		}
		if (chosen) frame(chosen, 1, 1)
		const sums = new Map()
		for (const t of terms) {
			const [row, column] = grid.kind === 'input' ? [t.p, t.q] : [t.i, t.j]
			const sum = sums.get(row * 99 + column)?.sum ?? 0
			sums.set(row * 99 + column, { row, column, sum: sum + (from === 'kernel' ? t.product : t.w) })
		}
		const font = `600 ${Math.min(12, cell * 0.32)}px ${this.font}`
		Object.assign(context, { font, textAlign: 'right', fillStyle: accent })
		for (const { row, column, sum } of sums.values()) {
			Object.assign(context, { lineWidth: 2, strokeStyle: accent })
			context.beginPath()
			if (this.isPooling && this.data.mode !== 'average' && sum)
				context.arc((column + 0.5) * cell, (row + 0.5) * cell, cell * 0.42, 0, 7)
			if (cell < 14) context.fill()
			context.stroke()
			if (cell < 30) continue
			const text = [show(sum, 2), (column + 1) * cell - 2, (row + 1) * cell - 4]
			Object.assign(context, { lineWidth: 3, strokeStyle: background })
			context.strokeText(...text)
			context.fillText(...text)
		}
	}

	// Words: Python sends the sentences

	tell(names, values) {
		const text = names.filter(Boolean).map((name) => this.data.words[name])
		const told = text.join(' ').replace(/{(\w+)}/g, (_, name) => values[name])
		return told.replace(/\b1 (product|number|place|output)s\b/g, '1 $1').replaceAll('-', '−')
	}

	say(cell, terms, [outputs, inputs]) {
		const { mode, most, bias } = this.data
		const { kind, channel, at } = cell
		const isPadding = kind === 'input' && this.isPadding(at)
		const value = this.value(cell, at)
		const gained = terms.filter((t) => t.w)
		const numWon = gained.length
		const [row, column] = this.moved(kind, at, -1)
		const seen = ['p', 'q'].map((name) => distinct(terms.map((t) => t[name])))
		const [rows, columns] = spans(seen, this.before)
		const [sourceRow, sourceColumn] = at.map((place, axis) => this.axes[axis].source[place])
		const values = { row, column, rows, columns, sourceRow, sourceColumn, channel, most, numWon, num: terms.length }
		const [numPlaces, numOutputs] = [inputs, outputs].map(([down, across]) => down.length * across.length)
		Object.assign(values, { value: show(value ?? 0), numPlaces, numOutputs, all: area(this.outSize) })
		values.numPadding = terms.filter((t) => this.isPadding([t.p, t.q])).length
		const tell = (...names) => this.tell(names, values)
		if (isMade(kind)) {
			const padded = values.numPadding && 'padded'
			if (!terms.length) return [tell(kind, 'unmade'), []]
			if (!this.isPooling)
				return [tell(kind, 'made', padded), addUp(terms, kind === 'output' ? bias : 0)]
			const sum = add(terms.map((t) => t.n))
			const plus = terms.map((t) => factor(t.n)).join(' + ')
			Object.assign(values, { plus, sum: show(sum), equal: equal(sum / terms.length) })
			if (mode === 'average') return [tell(kind, mode, padded, 'shares'), [tell('averaged')]]
			values.list = terms.map((t) => show(t.n)).join(', ')
			values.numEqual = terms.filter((t) => t.n === value).length
			const winner = this.moved('input', [gained[0].p, gained[0].q], -1)
			Object.assign(values, { winnerRow: winner[0], winnerColumn: winner[1] })
			return [tell(kind, mode, padded, values.numEqual > 1 && 'tie'), [tell('chosen'), tell('wins')]]
		}
		const product = (t) => this.tell(['product'], { ...t, n: factor(t.n), w: factor(t.w), equal: equal(t.product, t.n, t.w) })
		const more = terms.length > MOST_LISTED ? `; and ${terms.length - MOST_LISTED} more` : ''
		const products = [terms.slice(0, MOST_LISTED).map(product).join('; ') + more]
		if (kind === 'kernel') return [tell(kind), products]
		if (value === undefined || value === null) return [tell(value === null ? 'never' : 'nothing'), []]
		const name = isPadding ? 'padding' : 'input'
		const copy = isPadding && sourceRow >= 0 && sourceColumn >= 0 && 'copy'
		if (!terms.length) return [tell(name, copy, 'unreached'), []]
		const border = !isPadding && (numOutputs < most ? 'fewer' : 'fullest')
		if (!this.isPooling) return [tell(name, copy, 'feeds', border), products]
		values.gradient = show(add(terms.map((t) => t.w)), 2)
		return [tell(name, 'feeds', border, !isPadding && mode !== 'average' && 'won', !isPadding && 'gradient'), []]
	}

	// Pointer and keyboard

	listen() {
		const { sheet, play, back, next, step, speed, release, paint } = this.parts
		const cellOf = (event, grid = event.target.grid) => {
			const at = [event.offsetY, event.offsetX].map((offset) => Math.floor((offset - 1) / this.cell))
			return grid && at.every((place, axis) => place >= 0 && place < grid.size[axis]) ? this.meant(grid, at) : null
		}
		sheet.onpointermove = (event) => {
			const cell = cellOf(event, this.painted)
			if (!cell || same(cell, this.hover)) return
			this.hover = cell
			if (this.painted) this.paint(cell)
			else if (!this.pin && !this.playing) this.point()
		}
		sheet.onpointerdown = (event) => {
			const cell = paint.checked && cellOf(event)
			if (!cell || !this.isEditable(cell)) return
			this.painted = event.target.grid
			event.target.setPointerCapture(event.pointerId)
			this.paint(cell)
		}
		sheet.onlostpointercapture = () => (this.painted = undefined)
		sheet.onpointerleave = sheet.onfocusout = () => {
			this.hover = null
			if (!this.pin && !this.playing) this.point()
		}
		sheet.onclick = (event) => {
			const cell = cellOf(event)
			if (!cell || (paint.checked && this.isEditable(cell))) return
			event.target.grid.cursor = event.target.grid.kind === 'gradient' ? this.moved('input', cell.at, -1) : cell.at
			if (event.detail < 2) this.lastPin = this.pin
			this.setPin(cell)
		}
		sheet.ondblclick = (event) => {
			const cell = cellOf(event)
			if (!cell || !this.isEditable(cell)) return
			if (this.lastPin) this.setPin(this.lastPin)
			this.type(cell, true)
		}
		sheet.onfocusin = ({ target }) => target.grid && target.matches(':focus-visible') && this.goTo(target.grid, [0, 0])
		this.root.onkeydown = (event) => this.press(event)
		this.root.onpointerleave = this.root.onfocusout = () => this.settle()
		paint.onchange = () => sheet.classList.toggle('painting', paint.checked)
		play.onclick = () => (this.playing ? this.pause() : this.play())
		back.onclick = () => this.seek((this.step ?? this.total) - 1)
		next.onclick = () => this.seek((this.step ?? 0) + 1)
		step.oninput = () => this.seek(Number(step.value))
		speed.oninput = () => this.showStep()
		release.onclick = () => this.setPin(null)
		this.root.onclick = ({ target }) => target.dataset.fill && this.fill(target.dataset.kind, target.dataset.fill)
		this.calm = matchMedia('(prefers-reduced-motion: reduce)')
		this.calm.onchange = () => this.pause()
	}

	/** Python's result stands for the browser's, a gradient for its input. */
	meant({ kind, channel }, at) {
		if (kind === 'gradient') return { kind: 'input', channel, at: this.moved('input', at, 1) }
		return { kind: kind === 'server' ? 'output' : kind, channel, at }
	}

	press(event) {
		const { grid } = event.composedPath()[0]
		const way = WAYS[event.key]
		if (event.key === 'Escape') this.setPin(null)
		if (!grid || event.ctrlKey || event.metaKey || event.altKey) return
		const cell = this.meant(grid, grid.cursor)
		if (way) this.goTo(grid, way)
		else if (event.key === 'Enter' || event.key === ' ') this.setPin(cell)
		else if (/^[-.\d]$/.test(event.key)) return this.type(cell) // which takes the key
		else if (event.key === 'F2') this.type(cell, true)
		else return
		event.preventDefault()
	}

	goTo(grid, way) {
		grid.cursor = grid.cursor.map((place, axis) => Math.min(Math.max(place + way[axis], 0), grid.size[axis] - 1))
		if (way.some(Boolean)) this.setPin(null)
		this.pause()
		this.hover = this.meant(grid, grid.cursor)
		this.point()
	}

	setPin(cell) {
		if (cell && same(cell, this.pin)) cell = null
		this.pause()
		if (!cell && !this.pin) return
		this.pin = cell
		this.counts.pin += 1
		this.send('pin', { count: this.counts.pin, cell })
		this.point()
	}

	// The player

	play() {
		this.playing = true
		this.seek((this.step ?? this.total) % this.total)
		let [last, due] = [performance.now(), 0]
		const tick = (now) => {
			if (!this.playing) return
			due += (Math.max(now - last, 0) / 1000) * this.parts.speed.value
			last = now
			const steps = Math.floor(due + 0.1) // a frame may come a moment early
			due -= steps
			if (steps) this.seek(this.step + steps)
			if (this.step >= this.total) this.pause()
			requestAnimationFrame(tick)
		}
		requestAnimationFrame(tick)
	}

	pause() {
		if (!this.playing) return
		this.playing = false
		this.showStep()
		this.point()
	}

	seek(step) {
		if (!this.playing) this.setPin(null)
		this.step = Math.min(Math.max(step, 0), this.total)
		if (this.isTransposed) this.compute()
		for (const grid of this.grids) if (isMade(grid.kind)) this.draw(grid)
		this.showStep()
		this.point()
	}

	showStep() {
		const { play, step, place, speed, rate, words } = this.parts
		play.textContent = this.playing ? 'Pause' : 'Play'
		words.ariaLive = this.playing ? 'off' : 'polite'
		step.value = this.step ?? this.total
		place.textContent = `${step.value} of ${this.total}`
		rate.textContent = `${speed.value} a second`
	}

	// Editing

	isEditable({ kind, at }) {
		return kind === 'kernel' || (kind === 'input' && !this.isPadding(at))
	}

	type(cell, isOld) {
		if (!this.isEditable(cell) || this.parts.paint.checked) return
		const { over } = this.grids.find(({ kind, channel }) => kind === cell.kind && channel === cell.channel)
		const input = this.parts.pieces.content.lastElementChild.cloneNode()
		if (isOld) input.value = Number(this.value(cell, cell.at).toFixed(4))
		Object.assign(input.style, { top: `${cell.at[0] * this.cell}px`, left: `${cell.at[1] * this.cell}px` })
		const end = (isGood) => {
			input.onblur = null
			if (isGood) this.set(cell, +input.value)
			input.remove()
		}
		input.onblur = () => end(input.checkValidity())
		input.onkeydown = (event) => {
			event.stopPropagation()
			const isGood = event.key === 'Enter' && input.reportValidity()
			if (event.key !== 'Escape' && !isGood) return
			end(isGood)
			over.focus()
		}
		over.after(input)
		input.focus()
		input.select()
	}

	paint(cell) {
		const { brush } = this.parts
		if (this.isEditable(cell) && brush.reportValidity()) this.set(cell, +brush.value)
	}

	set({ kind, channel, at }, number) {
		const [row, column] = this.moved(kind, at, -1)
		const numbers = structuredClone(this.numbers[kind])
		numbers[channel][row][column] = number
		this.edit(kind, numbers)
	}

	fill(kind, name) {
		const [low, high] = this.data.random[kind]
		const draw = () => low + Math.floor(Math.random() * (high - low + 1))
		const random = this.numbers[kind].map((plane) => plane.map((line) => line.map(draw)))
		this.edit(kind, this.data.fills[kind][name] ?? random)
	}

	edit(kind, numbers) {
		this.numbers[kind] = numbers
		if (!this.playing) this.step = null
		clearTimeout(this.rest)
		this.rest = setTimeout(() => this.settle(), REST)
		this.compute()
		this.redraw()
	}

	/** Send the edited numbers when the hand rests. */
	settle() {
		if (!this.rest) return
		this.rest = clearTimeout(this.rest)
		this.counts.edit += 1
		const { input, kernel } = this.numbers
		this.send('edit', { count: this.counts.edit, x: input, weight: kernel, shown: this.data.shown })
	}
}

// Numbers

/** Write a sum whose shown numbers add up: exact, else times a common denominator, else rounded. */
function addUp(terms, bias) {
	const all = [...terms.map((t) => t.product), bias]
	const rounded = (scale) => all.map((number) => Math.round(number * scale))
	const fits = (scale, times) =>
		all.every((number) => isWhole(number * scale)) && terms.every((t) => isShort(t.n, t.w * times))
	const addsUp = (digits) => add(rounded(10 ** digits)) === Math.round(add(all) * 10 ** digits)
	const exact = DIGITS.find((digits) => fits(10 ** digits, 1))
	let times = 1
	while (exact === undefined && times <= MOST_PARTS && !fits(times, times)) times++
	if (times > MOST_PARTS) times = 1
	const digits = exact ?? (times > 1 ? 0 : (DIGITS.slice(2).find(addsUp) ?? 8))
	const whole = rounded(times * 10 ** digits)
	whole[whole.indexOf(Math.max(...whole.slice(0, -1)))] += Math.round(add(all) * times * 10 ** digits) - add(whole)
	const write = (number) => fixed(number / 10 ** digits, digits)
	const plus = (numbers) => numbers.map((number) => bracket(write(number))).join(' + ')
	const is = exact === undefined && times === 1 ? '≈' : '='
	const channels = distinct(terms.map((t) => t.channel))
	const totals = []
	const lines = channels.map((channel) => {
		const own = terms.map((t, index) => ({ ...t, whole: whole[index] })).filter((t) => t.channel === channel)
		const factors = own.map((t) => `${factor(t.n)} · ${factor(t.w * times)}`).join(' + ')
		const name = channels.length > 1 ? `Channel ${channel}: ` : ''
		totals.push(add(own.map((t) => t.whole)))
		return `${name}${factors} ${is} ${plus(own.map((t) => t.whole))} = ${write(totals.at(-1))}`
	})
	const total = add(whole)
	const end = bias ? ` + ${bracket(write(whole.at(-1)))} (bias)` : ''
	if (end || channels.length > 1) lines.push(`Sum: ${plus(totals)}${end} = ${write(total)}`)
	if (times > 1) lines.push(`All times ${times}, so that it is whole: ${write(total)} / ${times} ${equal(total / times)}`)
	return lines
}

const isMade = (kind) => kind === 'output' || kind === 'partial'
const isWhole = (number) => Math.abs(number - Math.round(number)) < 1e-9 + 1e-14 * Math.abs(number)
const isShort = (...numbers) => numbers.every((number) => isWhole(number * 1e4))
const fixed = (number, digits) => number.toFixed(digits).replace(/^-(?=[0.]*$)/, '').replace('-', '−')
const show = (number, digits = 4) => fixed(number, digits).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
const bracket = (text) => (text.startsWith('−') ? `(${text})` : text)
const factor = (number) => bracket(show(number))
const equal = (...numbers) => `${isShort(...numbers) ? '=' : '≈'} ${show(numbers[0])}`
const add = (numbers) => numbers.reduce((sum, number) => sum + number, 0)
const area = ([rows, columns]) => rows * columns
const distinct = (numbers) => [...new Set(numbers)].sort((a, b) => a - b)
const spans = (sets, before) =>
	sets.map((places, axis) => {
		const [name, from, to] = [['row', 'column'][axis], places[0] - before[axis], places.at(-1) - before[axis]]
		return places.length > 1 ? `${name}s ${from} to ${to}` : `${name} ${from}`
	})
const same = (cell, other) => JSON.stringify(cell) === JSON.stringify(other)
const cellsOf = ([rows, columns]) =>
	Array.from({ length: rows * columns }, (_, index) => [Math.floor(index / columns), index % columns])

function hatch(colour, isLeft) {
	const tile = new OffscreenCanvas(8, 8)
	const context = tile.getContext('2d')
	context.fillStyle = colour
	for (let k = 0; k < 8; k++) context.fillRect(isLeft ? k : 7 - k, k, 1, 1)
	return context.createPattern(tile, 'repeat')
}
