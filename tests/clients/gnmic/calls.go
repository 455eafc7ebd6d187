package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api/target"
	"github.com/openconfig/gnmic/pkg/api/types"
	"github.com/openconfig/gnmic/pkg/config"
	"github.com/openconfig/gnmic/pkg/formatters"
	"github.com/openconfig/gnmic/pkg/outputs"
	"github.com/openconfig/gnmic/pkg/utils"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/zestor-dev/zestor/store"
	"github.com/zestor-dev/zestor/store/gomap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

type app struct{ *config.Config }

var errFailed = errors.New("one or more requests failed")

// eachTarget calls ask for each target of the flags or of the file, one after
// the other. What fails is printed, as gnmic does.
func (a *app) eachTarget(ctx context.Context, ask func(context.Context, *target.Target) error) error {
	targets, err := a.GetTargets()
	if err != nil {
		return fmt.Errorf("failed getting targets config: %v", err)
	}
	var failed error
	for name, tc := range targets {
		if err := a.withTarget(ctx, tc, ask); err != nil {
			fmt.Fprintf(os.Stderr, "target %q: %v\n", name, err)
			failed = errFailed
		}
	}
	return failed
}

func (a *app) withTarget(ctx context.Context, tc *types.TargetConfig, ask func(context.Context, *target.Target) error) error {
	t := target.NewTarget(tc)
	if err := t.CreateGNMIClient(ctx, grpc.WithNoProxy()); err != nil {
		return err
	}
	defer t.Close()
	return ask(ctx, t)
}

func (a *app) askCapabilities(ctx context.Context, t *target.Target) error {
	ctx, cancel := context.WithTimeout(ctx, t.Config.Timeout)
	defer cancel()
	answer, err := t.Capabilities(ctx)
	if err != nil {
		return fmt.Errorf("capabilities request failed: %v", err)
	}
	return a.print(t, answer)
}

func (a *app) askGet(ctx context.Context, t *target.Target) error {
	req, err := a.CreateGetRequest(t.Config)
	if err != nil {
		return fmt.Errorf("building Get request failed: %v", err)
	}
	if err := a.printRequest(t, req); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.Config.Timeout)
	defer cancel()
	answer, err := t.Get(ctx, req)
	if err != nil {
		return fmt.Errorf("Get request failed: %v", err)
	}
	return a.print(t, answer)
}

func (a *app) askSet(ctx context.Context, t *target.Target) error {
	reqs, err := a.CreateSetRequest(t.Config.Name)
	if err != nil {
		return fmt.Errorf("failed to create set request: %v", err)
	}
	for _, req := range reqs {
		if err := a.printRequest(t, req); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, t.Config.Timeout)
		answer, err := t.Set(ctx, req)
		cancel()
		if err != nil {
			return fmt.Errorf("set request failed: %v", err)
		}
		if err := a.print(t, answer); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printRequest(t *target.Target, req proto.Message) error {
	if !a.PrintRequest {
		return nil
	}
	return a.print(t, req)
}

func (a *app) print(t *target.Target, msg proto.Message) error {
	registered, err := utils.ParseRegisteredExtensions(a.RegisteredExtensions)
	if err != nil {
		return err
	}
	options := formatters.MarshalOptions{
		Multiline: true, Indent: "  ", Format: a.Format, ValuesOnly: a.GetValuesOnly,
		ProtoFiles: a.ProtoFile, ProtoDir: a.ProtoDir, RegisteredExtensions: registered,
	}
	text, err := options.Marshal(msg, map[string]string{"source": t.Config.Name})
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", text)
	return nil
}

// listen runs the subscriptions of all targets until they end, or the user does.
func (a *app) listen(ctx context.Context, subscriptions map[string]*types.SubscriptionConfig) error {
	if len(subscriptions) == 0 {
		return errors.New("no subscriptions or inputs configuration found")
	}
	configs, err := a.GetOutputs()
	if err != nil {
		return err
	}
	var outs []outputs.Output
	for name, c := range configs {
		kind, _ := c["type"].(string)
		make, ok := outputs.Outputs[kind]
		if !ok {
			return fmt.Errorf("output %s has the type %q, which prepare leaves out", name, kind)
		}
		out := make()
		if err := out.Init(ctx, name, c, outputs.WithRegistry(prometheus.NewRegistry()),
			outputs.WithConfigStore(gomap.NewMemStore(store.StoreOptions[any]{}))); err != nil {
			return err
		}
		defer out.Close()
		outs = append(outs, out)
	}
	return a.eachTarget(ctx, func(ctx context.Context, t *target.Target) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ends := make(chan error)
		for name, s := range subscriptions {
			go func() { ends <- a.follow(ctx, t, name, s, outs) }()
		}
		var failed error
		for range subscriptions {
			failed = errors.Join(failed, <-ends)
		}
		return failed
	})
}

// follow writes the answers to one subscription into the outputs.
func (a *app) follow(ctx context.Context, t *target.Target, name string, s *types.SubscriptionConfig, outs []outputs.Output) error {
	req, err := utils.CreateSubscribeRequest(s, t.Config, a.Encoding)
	if err != nil {
		return err
	}
	if err := a.printRequest(t, req); err != nil {
		return err
	}
	answers := make(chan *gnmi.SubscribeResponse)
	var errs chan error
	if strings.EqualFold(s.Mode, "once") {
		answers, errs = t.SubscribeOnceChan(ctx, req)
	} else {
		answers, errs = t.SubscribeStreamChan(ctx, req, name)
	}
	for {
		select {
		case <-ctx.Done():
			return nil // the user ended it
		case err := <-errs:
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return nil
			}
			return err
		case answer := <-answers:
			if answer == nil {
				return nil
			}
			for _, out := range outs {
				out.Write(ctx, answer, outputs.Meta{"source": t.Config.Name, "format": a.Format, "subscription-name": name})
			}
		}
	}
}
