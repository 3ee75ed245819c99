from ui import controls, page
from ui.chapter import why_fewer, why_matrix, why_permuted, why_shift, why_signal, why_weights

# A further look is one more module.
LOOKS = {
    look.LOOK: look for look in (why_weights, why_matrix, why_shift, why_signal, why_permuted, why_fewer)
}


def main() -> None:
    page.header(
        "Why convolutions",
        "Why does a network look at a picture through small windows, and with the same weights everywhere?",
        ideas=["dense, local, shared", "a matrix with few numbers", "shifts: equivariant", "locality"],
    )
    look = controls.choice("Look at", list(LOOKS), key="w-view", as_list=False)
    controls.reserve(LOOKS[look].RESERVED)
    LOOKS[look].show()


main()
