"""Triangle meshes for other programs: cleaned, closed, with fewer faces, turned and scaled."""
