"""Run the benchmarks that need nothing but tvface: ``python -m benchmarks`` (``make bench``).

``benchmarks/landmarks.py`` and ``benchmarks/parsing.py`` judge the bundled networks on a folder of your own pictures,
``benchmarks/identities.py`` the embedders on a folder of your own videos and on a run of the embedded show.
``benchmarks/fits.py`` judges the fit of the head to found points by the truth of rendered shows.
``benchmarks/gpu.py`` tells what a GPU can tell, in one command.
"""

from benchmarks import kernels, rasterize, train_step

if __name__ == "__main__":
    kernels.main()
    rasterize.main([])
    train_step.main(["--small", "--threads", "1"])
