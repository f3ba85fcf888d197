package laketest_test

import (
	"testing"

	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
)

func TestMemory(t *testing.T) {
	laketest.Run(t, func(t *testing.T) lake.Storage { return laketest.NewMemory(t.TempDir()) })
}

func TestFaultyThatNeverFails(t *testing.T) {
	laketest.Run(t, func(t *testing.T) lake.Storage {
		return &laketest.Faulty{
			Storage: laketest.NewMemory(t.TempDir()),
			Fail:    func(string, string) error { return nil },
		}
	})
}
