"""Export of a run: its mesh, points, cameras and views as files of other programs."""
