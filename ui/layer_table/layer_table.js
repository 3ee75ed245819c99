// The table of a network's layers. Python sends rows, numbers and all words; the browser sends back what a visitor does.
// A row has an id that stays as it moves: what waits to be sent means the same row when its turn comes.

const ICONS = {
	up: 'M8 13V3M4 7l4-4 4 4',
	down: 'M8 3v10M4 9l4 4 4-4',
	duplicate: 'M6 6h7v7H6zM10 6V3H3v7h3',
	remove: 'M4 4l8 8M12 4l-8 8',
	drag: 'M6 3v.5M6 8v.5M6 13v.5M10 3v.5M10 8v.5M10 13v.5',
	warning: 'M8 2l6.5 12h-13zM8 6.5v3.5M8 12v.3',
}
const drawnIcons = {}
const WAYS = { ArrowUp: -1, ArrowDown: 1 } // of a row; a number goes the other way

export default function ({ data, parentElement, setStateValue }) {
	const root = parentElement.querySelector('.layers')
	const table = (root.table ??= new LayerTable(root))
	table.send = setStateValue
	table.receive(data)
}

class LayerTable {
	constructor(root) {
		this.root = root
		this.parts = {}
		for (const part of root.querySelectorAll('[id]')) this.parts[part.id] = part
		for (const name of ['caption', 'thead', 'tbody', 'tfoot']) this.parts[name] = root.querySelector(name)
		this.count = 0
		this.queue = []
		this.open = {} // id of a row, and its part: the editor or a column
		this.drawn = new Map()
		this.listen()
	}

	receive(data) {
		this.late = this.isHeld ? data : null // a button that went away under a pressed finger would not be clicked
		if (this.late) return
		const isAnswer = this.data?.count < this.count && data.count >= this.count
		const before = this.data?.rows ?? []
		this.data = data
		this.count = Math.max(this.count, data.count)
		if (isAnswer && data.made && this.open.part === 'editor') this.open = { id: data.made, part: 'editor' }
		if (isAnswer && data.refused?.field) this.open = { id: data.refused.id, part: 'editor' }
		if (this.indexOf(this.open.id) < 0) this.open = {}
		this.render(before)
		this.flush()
	}

	find(key) {
		return this.root.querySelector(`[data-key="${key}"]`)
	}

	indexOf(id) {
		return this.data.rows.findIndex((row) => row.id === id)
	}

	// Sending

	/** Send an action when those before it have been answered; of one field only the last value counts. */
	act(action) {
		const last = this.queue.at(-1)
		if (action.do === 'set' && last?.do === 'set' && last.id === action.id && last.field === action.field) this.queue.pop()
		this.queue.push(action)
		this.flush()
	}

	flush() {
		while (this.queue.length && this.data.count >= this.count) {
			this.sent = this.queue.shift()
			const action = this.addressed(this.sent)
			if (!action) continue
			this.count += 1
			this.send('action', { ...action, count: this.count, shown: this.data.shown })
		}
		this.root.ariaBusy = String(this.data.count < this.count)
	}

	/** Whether a value of this control is on its way, or waits to be: what is answered now is about an earlier one. */
	isAhead({ dataset: { id, name } }) {
		const onTheirWay = this.data.count < this.count ? [this.sent, ...this.queue] : this.queue
		return onTheirWay.some((one) => one.id === id && (one.do === 'kind' ? !name : one.do === 'set' && one.field === name))
	}

	/** Turn ids into places in the list as it is now; null where that makes no sense any more. */
	addressed({ id, by, near, words, ...action }) {
		const { rows, can } = this.data
		const index = action.do === 'add' ? this.placeToAdd() : this.indexOf(id)
		const to = near ? this.indexOf(near) : index + by
		if (action.do in can) return can[action.do] ? action : null
		if (index < 0 || (action.do === 'fix' && rows[index].fixes[action.which] !== words)) return null
		if (action.do === 'move') return rows[to] && to !== index ? { ...action, index, to } : null
		return { ...action, index }
	}

	placeToAdd() {
		return this.open.part === 'editor' ? this.indexOf(this.open.id) + 1 : this.data.rows.length
	}

	// Drawing

	say(name, values = {}) {
		return this.data.words[name].replace(/\{(\w+)\}/g, (_, key) => values[key])
	}

	render(before = this.data.rows) {
		const { data, parts, open } = this
		const { rows, editable, can, words } = data
		const active = this.root.getRootNode().activeElement
		const place = before.findIndex((row) => row.id === active?.dataset.id)
		this.renderFrame()
		const nodes = [this.frameRow(words.input, { output_shape: data.input })]
		const known = this.drawn
		this.drawn = new Map()
		rows.forEach((row, index) => {
			const part = open.id === row.id ? open.part : ''
			const plan = JSON.stringify([row, part, index === 0, index === rows.length - 1, editable])
			const old = known.get(row.id)
			this.drawn.set(row.id, old?.plan === plan ? old : { plan, node: this.row(row, index, part) })
			nodes.push(this.drawn.get(row.id).node, ...this.below(row, part))
		})
		if (!rows.length) nodes.push(make('tr', {}, this.across(words.empty)))
		exchange(parts.tbody, nodes)
		const index = this.placeToAdd() - 1
		parts.tools.hidden = !editable
		parts.where.textContent = index < rows.length - 1 ? this.say('after', rows[index]) : words.end
		for (const one of parts.back.children) one.ariaDisabled = String(!can[one.dataset.do])
		parts.said.textContent = data.said
		parts.refused.textContent = data.refused && !data.refused.field ? data.refused.words : ''
		this.bringFocusBack(active, place)
	}

	/** Draw what stands around the rows. */
	renderFrame() {
		const { parts, data } = this
		const { columns, words, editable, totals } = data
		const head = (...text) => make('th', { scope: 'col' }, ...text)
		const heads = [head(words.layer), ...columns.map(([, heading]) => head(heading))]
		if (editable) heads.push(head(make('span', { className: 'unseen' }, words.change)))
		parts.caption.textContent = words.caption
		parts.thead.firstElementChild.replaceChildren(...heads)
		parts.tfoot.replaceChildren(this.frameRow(words.total, totals))
		if (parts.add.children.length) return
		parts.add.append(...data.new.map((kind) => button({ do: 'add', kind }, {}, kind)))
		parts.back.append(...['undo', 'redo'].map((name) => button({ do: name }, {}, words[name])))
	}

	frameRow(name, texts) {
		const cells = this.data.columns.map(([key]) => make('td', {}, texts[key] ?? ''))
		return make('tr', {}, make('th', { scope: 'row' }, make('b', {}, name)), ...cells, ...this.end())
	}

	/** The empty cell where other rows have their buttons. */
	end() {
		return this.data.editable ? [make('td')] : []
	}

	across(...children) {
		return make('td', { colSpan: this.data.columns.length + 1 + this.data.editable }, ...children)
	}

	row(row, index, part) {
		const { id, name } = row
		const isEditable = this.data.editable && row.isLayer
		const label = [make('b', {}, name), make('span', { title: row.words }, row.words)]
		const props = { className: 'name', title: this.say('open', row), ariaExpanded: String(part === 'editor') }
		const head = isEditable
			? [
					make('i', { draggable: true, title: this.say('drag', row), dataset: { id } }, icon('drag')),
					button({ do: 'open', id, part: 'editor' }, props, ...label),
				]
			: [make('span', { className: 'name' }, ...label)]
		const end = isEditable ? [this.buttons(row, index)] : this.end()
		const className = `layer ${row.reason && 'misfit'} ${row.waits ? 'waits' : ''}`
		return make('tr', { className, dataset: { id } }, make('th', { scope: 'row' }, ...head), ...this.cells(row, part), ...end)
	}

	cells(row, part) {
		const { id, name, cells, reason, waits, fixes } = row
		const { columns, words } = this.data
		if (reason || waits) {
			const offers = fixes.map((text, which) => button({ do: 'fix', id, which }, { className: 'fix' }, text))
			const content = reason ? [make('span', {}, icon('warning'), ' ', reason), ...offers] : [words.waits]
			return [make('td', { colSpan: columns.length, className: 'why' }, make('div', {}, ...content))]
		}
		return columns.map(([key, column]) => {
			const cell = cells[key]
			if (!cell) return make('td')
			const ariaLabel = this.say(cell.most ? 'most' : 'cell', { column, name, text: cell.text })
			const props = { className: 'number', ariaLabel, ariaExpanded: String(part === key) }
			const number = cell.lines.length ? button({ do: 'open', id, part: key }, props, cell.text) : cell.text
			const node = make('td', { className: cell.most ? 'most' : '' }, number)
			node.style.setProperty('--share', cell.share)
			return node
		})
	}

	buttons({ id, name }, index) {
		const tool = (symbol, data, isOff = false) => {
			const title = this.say(symbol, { name })
			return button({ ...data, id }, { title, ariaLabel: title, ariaDisabled: String(isOff) }, icon(symbol))
		}
		const up = tool('up', { do: 'move', by: -1 }, index === 0)
		const down = tool('down', { do: 'move', by: 1 }, index === this.data.rows.length - 1)
		const others = ['duplicate', 'remove'].map((name) => tool(name, { do: name }))
		return make('td', { className: 'buttons' }, up, down, ...others)
	}

	/** What is open below a row: its editor, or the arithmetic of a cell. */
	below(row, part) {
		const cell = row.cells[part]
		if (part === 'editor' && this.data.editable && row.isLayer) return [this.editor(row)]
		if (!cell) return []
		const [, column] = this.data.columns.find(([key]) => key === part)
		const lines = cell.lines.flatMap(([label, formula]) => [make('dt', {}, label), make('dd', {}, formula)])
		const title = make('b', {}, this.say('of', { column, name: row.name }))
		return [make('tr', { className: 'below' }, this.across(make('div', {}, title, make('dl', {}, ...lines))))]
	}

	/** The editor stays the same element while its fields do, so that nothing typed is lost. */
	editor(row) {
		const plan = JSON.stringify([row.id, row.fields.map(({ name }) => name), row.kinds])
		if (this.edited?.plan !== plan) this.edited = { plan, node: this.newEditor(row) }
		const refused = this.data.refused?.id === row.id ? this.data.refused : {}
		for (const field of this.edited.node.querySelectorAll('.field')) {
			const [control, note] = field.querySelectorAll('input, select, small')
			const { name } = control.dataset
			const isRefused = Boolean(name) && name === refused.field
			const value = name ? row.fields.find((one) => one.name === name).value : row.kind
			const isTouched = control.value !== control.sent && control.value !== control.shown
			if (!isTouched && !isRefused && !this.isAhead(control)) control.value = value
			if (isRefused && control.sent === undefined) control.value = refused.value
			control.shown = value
			if (!name) continue
			control.ariaInvalid = String(isRefused)
			note.textContent = isRefused ? refused.words : ''
		}
		return this.edited.node
	}

	newEditor({ id, name, fields, kinds, kind }) {
		const { words } = this.data
		const inField = (...children) => make('div', { className: 'field' }, ...children)
		const controls = fields.map(({ name, label, value, min, props }) => {
			const note = make('small', { id: `note-${name}`, role: 'status' })
			const input = make('input', { ...props, value, shown: value, dataset: { id, name, min, key: `${id} ${name}` } })
			input.setAttribute('aria-describedby', note.id)
			return inField(make('label', {}, label, input), note)
		})
		if (kinds.length) {
			const options = kinds.map((one) => new Option(one, one, one === kind, one === kind))
			const select = make('select', { shown: kind, ariaLabel: words.kind, dataset: { id, key: `${id} kind` } }, ...options)
			controls.unshift(inField(make('label', {}, words.kind, select)))
		}
		const pane = make('div', { role: 'group', ariaLabel: this.say('open', { name }) }, ...controls)
		if (!controls.length) pane.append(words.nothing)
		return make('tr', { className: 'below editor' }, this.across(pane))
	}

	/** Where the focused element was moved or replaced, focus it again; where its row is gone, the next row. */
	bringFocusBack(active, place) {
		if (!active || active === this.root.getRootNode().activeElement) return
		const { rows } = this.data
		const { id, key } = active.dataset
		const row = rows[this.indexOf(id)] ?? rows[Math.min(place, rows.length - 1)]
		const found = this.find(key) ?? this.find(`open ${row?.id} editor`) ?? this.parts.add.firstElementChild
		found.focus({ preventScroll: true })
		found.scrollIntoView({ block: 'nearest', inline: 'nearest' })
	}

	// Hand and keyboard

	listen() {
		const { root } = this
		root.onclick = ({ target, detail }) => {
			const one = target.closest('button')
			if (one && one.ariaDisabled !== 'true') this.press({ ...one.dataset }, one.textContent, detail)
		}
		root.onpointerdown = () => (this.isHeld = true)
		root.onpointerup = root.onpointercancel = root.onpointerleave = () =>
			setTimeout(() => {
				this.isHeld = false
				if (this.late) this.receive(this.late)
			})
		root.onchange = ({ target }) => this.change(target)
		root.onkeydown = (event) => this.type(event)
		const rowOf = ({ target }) => target.closest('tr.layer')
		const mark = (row) => {
			root.querySelector('.target')?.classList.remove('target')
			row?.classList.add('target')
		}
		root.ondragstart = (event) => {
			this.dragged = event.target.dataset?.id
			event.dataTransfer.setDragImage(rowOf(event), 0, 0)
		}
		root.ondragover = (event) => {
			if (!this.dragged || !rowOf(event)) return
			event.preventDefault()
			mark(rowOf(event))
		}
		root.ondrop = (event) => {
			event.preventDefault()
			this.act({ do: 'move', id: this.dragged, near: rowOf(event).dataset.id })
		}
		root.ondragend = () => mark((this.dragged = null)) // also where nothing was reached
	}

	press({ do: what, id, part, kind, by, which }, words, detail) {
		if (what === 'open' && detail > 1) return // a double click opens, as a click does
		// Clicks in quick succession mean the row of the first, also where another has come under the hand.
		if (detail > 1 && this.pressed?.what === what && this.pressed.by === by) id = this.pressed.id
		this.pressed = { what, by, id }
		if (what === 'open') {
			this.turnTo(this.open.id === id && this.open.part === part ? {} : { id, part })
			if (detail === 0) this.root.querySelector('.editor :is(input, select)')?.focus() // the keyboard's click
		} else if (what === 'fix') this.act({ do: what, id, which: Number(which), words })
		else this.act({ do: what, id, kind, by: Number(by) })
	}

	turnTo(open) {
		this.open = open
		this.edited = null
		if (this.data.refused?.field) this.data.refused = null
		this.render()
	}

	change(control) {
		const { id, name } = control.dataset
		control.sent = control.value
		this.act(name ? { do: 'set', id, field: name, value: control.value } : { do: 'kind', id, value: control.value })
	}

	type(event) {
		const { key, target, altKey } = event
		const { id, min } = target.dataset
		const way = WAYS[key]
		if (key === 'Escape' && this.open.id) {
			const { open } = this
			if (target.shown !== undefined) target.value = target.shown
			this.turnTo({})
			this.find(`open ${open.id} ${open.part}`)?.focus()
		} else if (way && altKey && target.closest('tr.layer') && this.data.editable) this.act({ do: 'move', id, by: way })
		else if (way && !altKey && target.type === 'text') {
			target.value = target.value.replace(/\d+/g, (number) => Math.max(Number(number) - way, min))
			this.change(target)
		} else return
		event.preventDefault()
	}
}

// Elements

function make(tag, { dataset, ...props } = {}, ...children) {
	const element = Object.assign(document.createElement(tag), props)
	Object.assign(element.dataset, dataset)
	element.append(...children)
	return element
}

function button(data, props, ...children) {
	const key = [data.do, data.id, data.part ?? data.by ?? data.which ?? data.kind].join(' ').trim()
	return make('button', { type: 'button', ...props, dataset: { ...data, key } }, ...children)
}

function icon(name) {
	drawnIcons[name] ??= make('span', { innerHTML: `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[name]}"/></svg>` })
	return drawnIcons[name].firstElementChild.cloneNode(true)
}

/** Change the children of an element without moving those that stay, so that focus and typed text stay too. */
function exchange(parent, children) {
	const wanted = new Set(children)
	for (const child of [...parent.children]) if (!wanted.has(child)) child.remove()
	children.forEach((child, index) => child !== parent.children[index] && parent.insertBefore(child, parent.children[index] ?? null))
}
