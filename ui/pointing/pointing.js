// Drawings to point at. Python sends them as SVG, and a line of words for each name; see the module's docstring.

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] } // numbers, and steps of numbers

export default function ({ data, parentElement }) {
	const root = parentElement.querySelector('.pointing')
	const pointing = (root.pointing ??= new Pointing(root))
	pointing.receive(data)
}

class Pointing {
	constructor(root) {
		this.root = root
		this.drawings = root.querySelector('#drawings')
		this.reading = root.querySelector('#reading')
		for (const type of ['pointerover', 'pointerdown']) this.drawings.addEventListener(type, (event) => this.point(event))
		this.drawings.addEventListener('keydown', (event) => this.press(event))
	}

	receive(data) {
		if (data.html !== this.data?.html) this.draw(data.html)
		this.data = data
		this.root.style = data.style
		this.drawings.ariaLabel = data.alt
		this.choose(this.at in data.words ? this.at : data.first)
	}

	draw(html) {
		this.drawings.innerHTML = html
		this.parts = new Map()
		for (const part of this.drawings.querySelectorAll('[data-of]')) {
			for (const name of part.dataset.of.split(' ')) {
				if (!this.parts.has(name)) this.parts.set(name, [])
				this.parts.get(name).push(part)
			}
		}
	}

	point(event) {
		const at = event.target.dataset.at
		if (at) this.choose(at)
	}

	press(event) {
		if (event.ctrlKey || event.metaKey || event.altKey) return // the browser's own keys
		const at = this.next(event.key)
		if (!at) return
		event.preventDefault()
		if (at in this.data.words) this.choose(at)
	}

	/** The name that a key leads to from the chosen one; there may be none of that name. */
	next(key) {
		const [kind, number] = this.at.split('-')
		const kinds = Object.keys(this.data.steps)
		if (key === 'Enter' && kinds.length > 1) return `${kinds[(kinds.indexOf(kind) + 1) % kinds.length]}-0`
		if (!(key in KEYS)) return ''
		const [numbers, steps] = KEYS[key]
		return `${kind}-${Number(number) + numbers + steps * this.data.steps[kind]}`
	}

	choose(at) {
		for (const part of this.parts.get(this.at) ?? []) part.classList.remove('on')
		for (const part of this.parts.get(at) ?? []) part.classList.add('on')
		this.at = at
		this.reading.textContent = this.data.words[at]
	}
}
