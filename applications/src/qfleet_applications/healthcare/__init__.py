"""Healthcare: classifiers with quantum kernels, feature selection, survival risk. No medical device."""
