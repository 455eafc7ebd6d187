package main

import (
	"context"
	"flag"
	"io"

	"mooring/server/gnmi/preview"
)

func protoFile(_ context.Context, p *program, args []string) error {
	rest, err := p.parse(flag.NewFlagSet("proto", flag.ContinueOnError), args, protoUsage)
	if err != nil {
		return err
	}
	if err := noArguments("proto", rest); err != nil {
		return err
	}
	_, err = io.WriteString(p.out, preview.File)
	return err
}
