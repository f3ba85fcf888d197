package session

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/schema"
)

// manage runs the statements that neither read nor write rows of tables.
func (s *Session) manage(ctx context.Context, st ast.Statement) error {
	s.settled = true // It is one change; what it met is no reason to begin it again.
	switch st := st.(type) {
	case *ast.CreateNamespace:
		return s.createNamespace(ctx, st)
	case *ast.AlterNamespace:
		return s.alterNamespace(ctx, st)
	case *ast.DropNamespace:
		return s.dropNamespace(ctx, st)
	case *ast.Use:
		return s.use(st)
	case *ast.CreateTable:
		return s.createTable(ctx, st)
	case *ast.AlterTable:
		return s.alterTable(ctx, st)
	case *ast.MoveTable:
		return s.moveTable(ctx, st)
	case *ast.DropTable:
		return s.dropTable(ctx, st)
	case *ast.CreateView, *ast.DropView:
		return s.manageView(ctx, st)
	case *ast.CreateUser:
		return s.said(s.accounts().Create(ctx, s.Principal, st))
	case *ast.AlterUser:
		return s.alterUser(ctx, st)
	case *ast.RestoreUser:
		return s.said(s.accounts().Restore(ctx, s.Principal, st))
	case *ast.DropUser:
		return s.dropUser(ctx, st)
	case *ast.CreateAPIKey, *ast.DropAPIKey, *ast.RevokeTokens, *ast.Grant, *ast.ShowGrants,
		*ast.CreatePolicy, *ast.DropPolicy, *ast.ShowPolicies:
		return s.credentials(ctx, st)
	case *ast.FlushTable:
		return s.flushTable(ctx, st)
	case *ast.FlushAll:
		return s.flushAll(ctx, st)
	case *ast.CompactTable:
		return s.compactTable(ctx, st)
	case *ast.CompactAll:
		return s.compactAll(ctx, st)
	case *ast.VerifyStorage:
		return s.verifyStorage(ctx)
	case *ast.BackupDatabase:
		return s.backupDatabase(ctx, st)
	case *ast.CreateStorage:
		return s.said(s.locations().Create(ctx, s.Principal, st))
	case *ast.AlterStorage:
		return s.said(s.locations().Alter(ctx, s.Principal, st))
	case *ast.DropStorage:
		return s.said(s.locations().Drop(ctx, s.Principal, st))
	case *ast.CheckStorage:
		return s.checkStorage(ctx, st)
	case *ast.ExportCatalog:
		return s.startedJob(s.exports().StartCatalog(ctx, st))
	case *ast.ExportData:
		return s.startedJob(s.exports().StartData(ctx, st))
	case *ast.KillJob:
		return s.killJob(ctx, st)
	case *ast.KillQuery:
		return s.killQuery(st)
	case *ast.KillLive:
		return s.killLive(st)
	case *ast.ClearCache:
		return s.clearCache()
	case *ast.SubscribeTo:
		return s.subscribeTo(st)
	}
	return s.show(ctx, st)
}

func (s *Session) createNamespace(ctx context.Context, st *ast.CreateNamespace) error {
	if err := access.Check(s.Principal, access.CreateNamespaces); err != nil {
		return err
	}
	created, err := s.Catalog.CreateNamespace(ctx, st.Namespace, properties(st.Options), st.IfNotExists)
	if err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	if !created {
		return s.message(0, fmt.Sprintf("Namespace '%s' already exists", st.Namespace))
	}
	return s.message(0, fmt.Sprintf("Namespace '%s' created successfully", st.Namespace))
}

func (s *Session) alterNamespace(ctx context.Context, st *ast.AlterNamespace) error {
	if err := access.Check(s.Principal, access.AlterNamespaces); err != nil {
		return err
	}
	if err := s.Catalog.AlterNamespace(ctx, kalam.NamespaceID(st.Namespace.Name), properties(st.Options)); err != nil {
		return kalam.Positioned(err, st.Namespace.Pos)
	}
	return s.message(0, fmt.Sprintf("Namespace '%s' altered successfully", st.Namespace.Name))
}

func (s *Session) dropNamespace(ctx context.Context, st *ast.DropNamespace) error {
	if err := access.Check(s.Principal, access.DropNamespaces); err != nil {
		return err
	}
	ns := kalam.NamespaceID(st.Namespace.Name)
	unblock, err := s.blockTables(s.Catalog.Tables(ns))
	if err != nil {
		return err
	}
	defer unblock()
	dropped, err := s.Catalog.DropNamespace(ctx, ns, st.Cascade)
	if st.IfExists && kalam.CodeOf(err) == kalam.CodeNotFound {
		return s.message(0, fmt.Sprintf("Namespace '%s' does not exist", ns))
	}
	if err != nil {
		return err
	}
	for _, t := range dropped {
		if _, err := s.server.Maintenance.Remove(ctx, t); err != nil {
			return err
		}
	}
	return s.message(0, fmt.Sprintf("Namespace '%s' dropped successfully", ns))
}

// blockTables keeps live queries from starting on tables that are about to be
// dropped; it fails when one of them has live queries.
func (s *Session) blockTables(tables []*kalam.Table) (unblock func(), err error) {
	var blocked []kalam.TableNumber
	unblock = func() {
		for _, n := range blocked {
			s.server.Hub.UnblockTable(n)
		}
	}
	for _, t := range tables {
		if n := s.server.Hub.BlockTable(t.Number); n > 0 {
			unblock()
			return nil, kalam.Errorf(kalam.CodeInvalidOperation,
				"Cannot drop table '%s': %d active live query subscription(s)", t.ID, n)
		}
		blocked = append(blocked, t.Number)
	}
	return unblock, nil
}

// use sets the default namespace of the statements that follow in the request.
func (s *Session) use(st *ast.Use) error {
	ns := kalam.NamespaceID(st.Namespace.Name)
	if !s.Access.SeesNamespace(s.Principal, ns) && !access.IsComputed(ns) {
		return kalam.Errorf(kalam.CodeNotFound, "Namespace '%s' does not exist", ns).Lacks(kalam.MissingNamespace, string(ns))
	}
	next := s.settings
	next.Namespace = ns
	s.adopt(next)
	return s.message(0, fmt.Sprintf("Namespace switched to '%s'", ns))
}

func (s *Session) createTable(ctx context.Context, st *ast.CreateTable) error {
	id, err := access.TableID(s.Namespace, st.Name)
	if err != nil {
		return err
	}
	spec := st.Table
	spec.ID = id
	if spec.Kind == 0 {
		spec.Kind = access.DefaultKind(s.Principal, id.Namespace)
	}
	if access.IsComputed(id.Namespace) {
		return kalam.Errorf(kalam.CodeInvalidOperation, "Cannot create a table in namespace '%s'",
			id.Namespace).At(st.Name.Pos)
	}
	if err := s.Access.MayCreate(s.Principal, spec.Kind, id.Namespace); err != nil {
		if _, known := s.Table(st.Name, access.See); st.IfNotExists && known == nil {
			return s.message(0, fmt.Sprintf("Table %s already exists", id))
		}
		return err
	}
	noEffect := ""
	check := func() error { // Of a table from a query once its columns are known.
		if err := dialect.Validate(&spec); err != nil {
			return err
		}
		noEffect = schema.WithoutFlushOptions(&spec)
		return schema.CastDefaults(&spec)
	}
	if err := schema.CheckFlushCron(&st.Table.Options, st.CronPos, st.CronTZPos); err != nil {
		return err
	}
	if st.As.SQL == "" {
		if err := check(); err != nil {
			return err
		}
	}
	if _, exists := s.Catalog.Table(id); exists {
		if st.IfNotExists {
			return s.message(0, fmt.Sprintf("Table %s already exists", id))
		}
		return kalam.Errorf(kalam.CodeAlreadyExists, "Table %s already exists", id)
	}
	var rows [][]kalam.Value
	if st.As.SQL != "" {
		if rows, err = s.tableOfQuery(ctx, st, &spec); err == nil {
			err = check()
		}
		if err != nil {
			return err
		}
	}
	return s.createChecked(ctx, st, spec, rows, noEffect)
}

// createChecked creates a table and, if it comes from a query, fills it. noEffect is what the answer says about
// options.
func (s *Session) createChecked(
	ctx context.Context, st *ast.CreateTable, spec kalam.Table, rows [][]kalam.Value, noEffect string,
) error {
	spec.Folder = s.Catalog.FreeFolder(spec.ID)
	if err := s.server.Maintenance.Prepare(ctx, &spec); err != nil {
		return err
	}
	t, err := s.Catalog.CreateTable(ctx, s.Principal, spec)
	if err != nil {
		if st.IfNotExists && kalam.CodeOf(err) == kalam.CodeAlreadyExists {
			return s.message(0, fmt.Sprintf("Table %s already exists", spec.ID))
		}
		return err
	}
	if st.As.SQL != "" {
		return s.fill(ctx, t, rows, noEffect)
	}
	return s.message(0, fmt.Sprintf("%s table %s created successfully%s", spec.Kind, spec.ID, noEffect))
}

func (s *Session) dropTable(ctx context.Context, st *ast.DropTable) error {
	err := s.dropFoundTable(ctx, st.Name)
	if st.IfExists && kalam.CodeOf(err) == kalam.CodeTableNotFound { // It never was, or another statement was faster.
		id, err := access.TableID(s.Namespace, st.Name)
		if err != nil {
			return err
		}
		return s.message(0, fmt.Sprintf("Table %s does not exist (skipped)", id))
	}
	return err
}

func (s *Session) dropFoundTable(ctx context.Context, name ast.Name) error {
	t, err := s.Table(name, access.Drop)
	if err != nil {
		return err
	}
	unblock, err := s.blockTables([]*kalam.Table{t})
	if err != nil {
		return err
	}
	defer unblock()
	dropped, err := s.Catalog.DropTable(ctx, t.ID)
	if err != nil {
		return err
	}
	s.server.gates.Forget(dropped.Number)
	job, err := s.server.Maintenance.Remove(ctx, dropped)
	if err != nil {
		return err
	}
	return s.done(Done{
		Message: fmt.Sprintf("Table %s dropped successfully. Cleanup job: %s", t.ID, job.ID),
		AsUser:  s.Principal.User, Statement: s.statement, JobIDs: []kalam.JobID{job.ID},
	})
}

// properties turns the options of a namespace into their JSON values.
func properties(list []ast.Property) map[string]kalam.Value {
	if len(list) == 0 {
		return nil
	}
	out := make(map[string]kalam.Value, len(list))
	for _, p := range list {
		out[p.Key] = p.Value
	}
	return out
}
