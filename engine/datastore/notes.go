package datastore

// Note returns what SetNotes, or a commit, has kept under a name, nil for
// nothing.
func (s *Store) Note(name string) ([]byte, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.notes[name], nil
}

// SetNotes keeps small texts by name, beside the configuration and in no
// revision; nil removes one. They are durable when it returns, all or none. It
// costs one synchronous write, and works on a full disk. Notes that change with
// a commit belong into its Meta.
func (s *Store) SetNotes(notes map[string][]byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.waitSettled()
	c := &commitment{revision: s.latest.revision, notes: notes, urgent: true, oldest: s.oldest(s.latest.revision)}
	if err := s.disk.commit(c); err != nil {
		return err
	}
	s.keepNotes(notes)
	return nil
}

// keepNotes needs the mutex.
func (s *Store) keepNotes(notes map[string][]byte) {
	for name, text := range notes {
		if text == nil {
			delete(s.notes, name)
		} else {
			s.notes[name] = text
		}
	}
}

// notesNow returns what the named notes are. It needs the mutex.
func (s *Store) notesNow(named map[string][]byte) map[string][]byte {
	out := make(map[string][]byte, len(named))
	for name := range named {
		out[name] = s.notes[name]
	}
	return out
}
