// Command gnmic takes the arguments of gnmic that our pages use. It owns the
// flags only: gnmic's own packages judge the input, build the requests, talk to
// the target and print. It must never do what they do.
//
// The whole command of gnmic does not build from published modules (prepare).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/openconfig/gnmic/pkg/config"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	a := &app{Config: config.New()}
	root := &cobra.Command{Use: "gnmic", SilenceUsage: true}
	a.globalFlags(root.PersistentFlags())
	for _, c := range []*cobra.Command{a.capabilities(), a.get(), a.set(), a.subscribe()} {
		for _, flags := range []*pflag.FlagSet{c.Flags(), root.PersistentFlags()} {
			prefix := ""
			if flags == c.Flags() {
				prefix = c.Name() + "-"
			}
			flags.VisitAll(func(f *pflag.Flag) { _ = a.FileConfig.BindPFlag(prefix+f.Name, f) }) // fails for no flag only
		}
		root.AddCommand(c)
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.Load(cmd.Context()); err != nil {
			return err
		}
		a.SetPersistentFlagsFromFile(cmd)
		a.SetLocalFlagsFromFile(cmd)
		return nil
	}
	if err := root.ExecuteContext(ctx); err != nil {
		os.Exit(1)
	}
}

// globalFlags have the names and defaults of gnmic 0.47.
func (a *app) globalFlags(f *pflag.FlagSet) {
	g := &a.GlobalFlags
	f.StringVar(&g.CfgFile, "config", "", "")
	f.StringSliceVarP(&g.Address, "address", "a", nil, "")
	f.StringVarP(&g.Username, "username", "u", "", "")
	f.StringVarP(&g.Password, "password", "p", "", "")
	f.StringVar(&g.Port, "port", "57400", "")
	f.StringVarP(&g.Encoding, "encoding", "e", "json", "")
	f.BoolVar(&g.Insecure, "insecure", false, "")
	f.BoolVar(&g.SkipVerify, "skip-verify", false, "")
	f.StringVar(&g.TLSCa, "tls-ca", "", "")
	f.StringVar(&g.TLSCert, "tls-cert", "", "")
	f.StringVar(&g.TLSKey, "tls-key", "", "")
	f.StringVar(&g.TLSServerName, "tls-server-name", "", "")
	f.DurationVar(&g.Timeout, "timeout", 10*time.Second, "")
	f.DurationVar(&g.Retry, "retry", 10*time.Second, "")
	f.StringVar(&g.Format, "format", "", "")
	f.BoolVar(&g.PrintRequest, "print-request", false, "")
	f.StringArrayVar(&g.ProtoFile, "proto-file", nil, "")
	f.StringArrayVar(&g.ProtoDir, "proto-dir", nil, "")
	f.StringArrayVar(&g.RegisteredExtensions, "registered-extensions", nil, "")
	f.StringVar(&g.RequestExtensions, "request-extensions", "", "")
}

func (a *app) capabilities() *cobra.Command {
	return &cobra.Command{Use: "capabilities", Aliases: []string{"c", "cap"}, RunE: func(cmd *cobra.Command, _ []string) error {
		return a.eachTarget(cmd.Context(), a.askCapabilities)
	}}
}

func (a *app) get() *cobra.Command {
	c := &cobra.Command{Use: "get", Aliases: []string{"g"}, RunE: func(cmd *cobra.Command, _ []string) error {
		a.LocalFlags.GetPath = config.SanitizeArrayFlagValue(a.LocalFlags.GetPath)
		return a.eachTarget(cmd.Context(), a.askGet)
	}}
	l, f := &a.LocalFlags, c.Flags()
	f.StringArrayVar(&l.GetPath, "path", nil, "")
	f.StringVar(&l.GetPrefix, "prefix", "", "")
	f.StringVarP(&l.GetType, "type", "t", "ALL", "")
	f.StringVar(&l.GetTarget, "target", "", "")
	f.BoolVar(&l.GetValuesOnly, "values-only", false, "")
	f.Uint32Var(&l.GetDepth, "depth", 0, "")
	return c
}

func (a *app) set() *cobra.Command {
	c := &cobra.Command{Use: "set", Aliases: []string{"s"}, RunE: func(cmd *cobra.Command, _ []string) error {
		if err := a.ValidateSetInput(); err != nil {
			return err
		}
		if err := a.ReadSetRequestTemplate(); err != nil {
			return fmt.Errorf("failed reading set request files: %v", err)
		}
		return a.eachTarget(cmd.Context(), a.askSet)
	}}
	l, f := &a.LocalFlags, c.Flags()
	f.StringVar(&l.SetPrefix, "prefix", "", "")
	f.StringVar(&l.SetTarget, "target", "", "")
	f.StringVar(&l.SetDelimiter, "delimiter", ":::", "")
	for name, to := range map[string]*[]string{
		"delete": &l.SetDelete, "replace": &l.SetReplace, "update": &l.SetUpdate, "union-replace": &l.SetUnionReplace,
		"replace-path": &l.SetReplacePath, "replace-value": &l.SetReplaceValue, "replace-file": &l.SetReplaceFile,
		"update-path": &l.SetUpdatePath, "update-value": &l.SetUpdateValue, "update-file": &l.SetUpdateFile,
		"union-replace-path": &l.SetUnionReplacePath, "union-replace-value": &l.SetUnionReplaceValue, "union-replace-file": &l.SetUnionReplaceFile,
		"request-file": &l.SetRequestFile,
	} {
		f.StringArrayVar(to, name, nil, "")
	}
	f.StringVar(&l.SetRequestVars, "request-vars", "", "")
	f.StringVar(&l.SetCommitId, "commit-id", "", "")
	f.BoolVar(&l.SetCommitRequest, "commit-request", false, "")
	f.BoolVar(&l.SetCommitConfirm, "commit-confirm", false, "")
	f.BoolVar(&l.SetCommitCancel, "commit-cancel", false, "")
	f.DurationVar(&l.SetCommitRollbackDuration, "rollback-duration", 0, "")
	return c
}

func (a *app) subscribe() *cobra.Command {
	c := &cobra.Command{Use: "subscribe", Aliases: []string{"sub"}, RunE: func(cmd *cobra.Command, _ []string) error {
		subscriptions, err := a.GetSubscriptions(cmd)
		if err != nil {
			return fmt.Errorf("failed reading subscriptions config: %v", err)
		}
		return a.listen(cmd.Context(), subscriptions)
	}}
	l, f := &a.LocalFlags, c.Flags()
	f.StringVar(&l.SubscribePrefix, "prefix", "", "")
	f.StringArrayVar(&l.SubscribePath, "path", nil, "")
	f.Uint32VarP(&l.SubscribeQos, "qos", "q", 0, "")
	f.BoolVar(&l.SubscribeUpdatesOnly, "updates-only", false, "")
	f.StringVar(&l.SubscribeMode, "mode", "stream", "")
	f.StringVar(&l.SubscribeStreamMode, "stream-mode", "target-defined", "")
	f.DurationVarP(&l.SubscribeSampleInterval, "sample-interval", "i", 0, "")
	f.BoolVar(&l.SubscribeSuppressRedundant, "suppress-redundant", false, "")
	f.DurationVar(&l.SubscribeHeartbeatInterval, "heartbeat-interval", 0, "")
	f.BoolVar(&l.SubscribeQuiet, "quiet", false, "")
	f.StringVar(&l.SubscribeTarget, "target", "", "")
	f.StringSliceVarP(&l.SubscribeName, "name", "n", nil, "")
	f.StringVar(&l.SubscribeHistorySnapshot, "history-snapshot", "", "")
	f.StringVar(&l.SubscribeHistoryStart, "history-start", "", "")
	f.StringVar(&l.SubscribeHistoryEnd, "history-end", "", "")
	f.Uint32Var(&l.SubscribeDepth, "depth", 0, "")
	return c
}
