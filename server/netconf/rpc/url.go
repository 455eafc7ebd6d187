package rpc

import (
	"errors"

	"mooring/engine/schema"
	"mooring/server/netconf/files"
)

// source is what a parameter source or target names, or the parameter url of
// edit-config.
type source struct {
	place
	param *param
	at    errorPath // of the place in the request
	file  string    // that a URL names
}

// same says whether both name the same configuration.
func (s source) same(o source) bool {
	return s.place == o.place && s.file == o.file && s.place != inline
}

// readURL makes of a URL the file that it names.
func (c *call) readURL(s *source, text string) error {
	name, err := files.Name(text)
	switch {
	case errors.Is(err, files.ErrScheme):
		return protocolError(schema.OperationNotSupported, err.Error()).at(s.at)
	case err != nil:
		return protocolError(schema.InvalidValue, err.Error()).at(s.at)
	}
	s.file = name
	return nil
}

// fileError maps what is wrong with a file. Its content that cannot be read is
// an error of the file; what it holds is an error of the configuration, as if
// it stood in the message.
func (c *call) fileError(s source, err error) error {
	switch {
	case errors.Is(err, files.ErrNotExist), errors.Is(err, files.ErrNotRegular):
		return protocolError(schema.InvalidValue, err.Error()).at(s.at)
	case errors.Is(err, files.ErrTooBig):
		return protocolError(schema.TooBig, err.Error()).at(s.at)
	case errors.Is(err, files.ErrTooMany):
		return protocolError(schema.ResourceDenied, err.Error()).at(s.at)
	}
	c.srv.log.Warn("netconf: file", "file", s.file, "err", err)
	return protocolError(schema.OperationFailed, s.file+": "+err.Error()).at(s.at)
}
