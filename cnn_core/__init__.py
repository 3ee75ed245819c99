"""Operations, models, training and figures of convolutional neural networks."""
