package file

// Parse parses a buffer of getdents64(2) for the folder dir.
func Parse(dir string, buf []byte) (entries []Listed, err error) {
	d, err := openTop(dir, false)
	if err != nil {
		return nil, err
	}
	defer d.close()
	list, err := d.parse(buf, nil)
	for _, l := range list {
		entries = append(entries, Listed{l.name, l.typ})
	}
	return entries, err
}
