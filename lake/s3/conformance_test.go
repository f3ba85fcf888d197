package s3_test

import (
	"testing"

	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, prefix := range map[string]string{"with a prefix": "lake/a", "whole bucket": ""} {
		t.Run(name, func(t *testing.T) {
			laketest.Run(t, func(t *testing.T) lake.Storage {
				f := newPipe(t)
				o := f.options(t)
				o.Prefix = prefix
				return open(t, o)
			})
		})
	}
}
